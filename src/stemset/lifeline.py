"""A process that is of use only to the one that reads what it writes."""

import os
import select
import threading

STANDARD_OUTPUT = 1


def end_with_reader(descriptor: int = STANDARD_OUTPUT) -> None:
    """From now on, end this process as soon as nobody can read what it writes any more.

    A parent-death signal would end it too early: Linux sends it when the *thread* that started the
    process ends.

    Args:
        descriptor: The writing end of a pipe.
    """
    threading.Thread(
        target=_wait_and_end, args=(descriptor,), name="stemset-lifeline", daemon=True
    ).start()


def _wait_and_end(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLHUP)
    poll.poll()
    os._exit(1)
