"""What a test's launcher does in its own process: one JSON line is one call, one is its answer."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from stemset.errors import StemsetError
from stemset.postgres.cluster import Cluster, hold, running
from stemset.telemetry import configure_logs

DATA, SYSTEM, LIMIT_S = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
HELD = ExitStack()


def execute(conninfo: str, statement: str) -> list[Any]:
    with psycopg.connect(conninfo, connect_timeout=5) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def main() -> None:
    configure_logs()
    cluster = Cluster(DATA, system=SYSTEM, limit_s=LIMIT_S)
    calls = {
        "start": cluster.start,
        "stop": cluster.stop,
        "is_alive": cluster.is_alive,
        "conninfo": lambda: cluster.conninfo,
        "running": lambda: running(DATA, system=SYSTEM),
        "hold": lambda purpose: HELD.enter_context(hold(DATA, purpose)),
        "execute": execute,
    }
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"result": calls[name](*arguments)}
        except StemsetError as error:
            answer = {"code": error.code, "detail": str(error)}
        except psycopg.OperationalError as error:
            answer = {"code": "", "detail": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
