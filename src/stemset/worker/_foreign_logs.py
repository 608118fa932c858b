"""Log lines of libraries, in the form of our own."""

import logging

from stemset.telemetry import get_logger

_log = get_logger("worker")


class _IntoOurs(logging.Handler):
    """Writes the standard library's log records as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.log(
            record.levelno,
            record.getMessage(),
            library=record.name,
            exc_info=record.exc_info or None,
        )


def take_foreign_logs() -> None:
    """From now on, write warnings and errors of all libraries as lines of ours."""
    logging.basicConfig(handlers=[_IntoOurs()], level=logging.WARNING, force=True)
