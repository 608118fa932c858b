"""Logs: one JSON object a line on standard error, each with the ids that it is about.

The event is a sentence that an operator can grep for; what it speaks of stands in fields of its own
as well. ``bind`` gives all later lines of this task or thread the same ids.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_CRASH_VARIABLE = "STEMSET_CRASH_AT"

Logger = structlog.stdlib.BoundLogger


def configure_logs(level: int = logging.INFO) -> None:
    """Send every log line of this process to standard error as JSON.

    Args:
        level: The least that is told; a command for people tells warnings only.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(room: str) -> Logger:
    """The logger of a room; its name stands in each line."""
    return structlog.get_logger(room=room)


@contextmanager
def bind(**ids: object) -> Iterator[None]:
    """Give every log line inside these ids; one that is None is left as it is."""
    known = {name: each for name, each in ids.items() if each is not None}
    with structlog.contextvars.bound_contextvars(**known):
        yield


def bound(name: str) -> str | None:
    """The id of this name that log lines have here."""
    each = structlog.contextvars.get_contextvars().get(name)
    return None if each is None else str(each)


def crash_point(name: str) -> None:
    """End this process as a power cut would, if ``STEMSET_CRASH_AT`` names this place.

    Made for the tests of what a crash must lead to. The variable is ``<place>``, or
    ``<place>@<file>`` to crash once only: the file is made by the one that crashes.
    """
    place, _, file = os.environ.get(_CRASH_VARIABLE, "").partition("@")
    if place != name:
        return
    if file:
        try:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
