"""Log lines of libraries, in the form of our own."""

import logging

from stemset.telemetry import Logger, get_logger


class _IntoOurs(logging.Handler):
    """Writes the standard library's log records as lines of ours."""

    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(
            record.levelno,
            record.getMessage(),
            library=record.name,
            exc_info=record.exc_info or None,
        )


def take_foreign_logs(room: str) -> None:
    """From now on, write warnings and errors of all libraries as lines of ours.

    Args:
        room: Whose lines they are said to be.
    """
    logging.basicConfig(handlers=[_IntoOurs(get_logger(room))], level=logging.WARNING, force=True)
