"""A program that does remote work with a worker in its own process: to be interrupted or killed.

Usage: far_program.py FOLDER SCENE RECORDING...

FOLDER holds ``bucket``, ``media`` and ``scratch``. SCENE: ``plain``; ``hold``: the worker never
comes to an end; ``slow``: the bucket gives no byte but lets a transfer be ended; ``deaf``: a call
to the bucket never returns. With ``HUMAN`` in the environment it speaks to a person.
"""

import asyncio
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import structlog
from stand_in import StandIn

from stemset.audio.decode import DecodeLimits
from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import find_strategy
from stemset.cli.batch import Batch
from stemset.cli.remote.connection import RemoteConnection
from stemset.cli.remote.run import run_remote
from stemset.cli.report import make_report
from stemset.orders.messages import Order
from stemset.pipeline.networks import Networks
from stemset.storage.settings import StoreSettings
from stemset.storage.store import OnBytes, Store, open_store
from stemset.telemetry import configure_logs


class Stuck:
    """A store whose downloads never end."""

    def __init__(self, store: Store, *, deaf: bool) -> None:
        self._store = store
        self._deaf = deaf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def download(
        self, _key: str, _path: Path, *, offset: int = 0, on_bytes: OnBytes = lambda _: None
    ) -> None:
        del offset
        tell("stuck")
        if self._deaf:
            threading.Event().wait()
        while True:
            on_bytes(0)
            time.sleep(0.05)


def tell(event: str) -> None:
    sys.stdout.write(json.dumps({"event": event}) + "\n")
    sys.stdout.flush()


async def _hold(_order: Order) -> None:
    tell("held")
    await asyncio.Event().wait()


async def _wake() -> None:
    pass


def main() -> int:
    configure_logs()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder, scene = Path(sys.argv[1]), sys.argv[2]
    settings = StoreSettings("folder", bucket=str(folder / "bucket"))
    store: Any = open_store(settings)
    if scene in {"slow", "deaf"}:
        store = Stuck(store, deaf=scene == "deaf")
    networks = Networks(threads=1)
    worker = StandIn(open_store(settings), networks, folder / "scratch")
    worker.before = _hold if scene == "hold" else None
    batch = Batch(
        root=folder / "media",
        strategy_name="spleeter-2stems",
        strategy=find_strategy("spleeter-2stems"),
        choice=OutputChoice(OutputFormat.FLAC),
        limits=DecodeLimits(),
        profile="far",
        replaces=True,
        networks=networks,
    )
    connection = RemoteConnection(
        store, worker, wake=_wake, worker_url="https://worker.example", bucket=settings
    )
    report = make_report(as_json="HUMAN" not in os.environ)
    return run_remote(batch, [Path(each) for each in sys.argv[3:]], report, lambda: connection)


if __name__ == "__main__":
    sys.exit(main())
