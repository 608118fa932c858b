"""Being told to stop: SIGTERM, or Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_to_stop(on_told: Callable[[str], None]) -> Iterator[asyncio.Event]:
    """Tell a first signal; a second one ends the process here and now, with status 1.

    Args:
        on_told: Called once, with the first signal's name.

    Returns:
        What is set by the first signal.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if told.is_set():
            os._exit(1)
        on_told(number.name)
        told.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        yield told
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
