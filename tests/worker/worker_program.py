"""A real worker before a computing process that is fake; arguments in JSON."""

import json
import os
import sys
from pathlib import Path

from stemset.config import load_settings
from stemset.errors import StemsetError
from stemset.worker.serve import Tuning, serve

FAKE = Path(__file__).with_name("fake_computing_program.py")


def main() -> int:
    wishes = json.loads(sys.argv[1])
    tuning = Tuning(command=[sys.executable, str(FAKE)], http=wishes.get("http", {}))
    try:
        return serve(
            load_settings(None, {**os.environ, **wishes["environ"]}),
            host=wishes.get("host", "127.0.0.1"),
            port=wishes.get("port", 0),
            tuning=tuning,
        )
    except StemsetError as error:
        sys.stderr.write(f"{error} [{error.code}]\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
