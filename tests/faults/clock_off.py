"""Clocks that are off, for a process of its own and all that it starts."""

from pathlib import Path

_PROGRAM = """
import datetime, time

OFF_S = {off_s}
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + OFF_S
time.time_ns = lambda: _time_ns() + int(OFF_S * 1e9)


class Moment(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=OFF_S)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)


datetime.datetime = Moment
"""


_STEPPING = """
import os, time

_monotonic = time.monotonic


def monotonic():
    try:
        with open({step!r}) as file:
            return _monotonic() + float(file.read())
    except OSError:
        return _monotonic()


time.monotonic = monotonic
"""


def clock_off(folder: Path, off_s: float) -> dict[str, str]:
    """Make one in a folder, which must be empty; the environment in which a Python has it.

    Python itself is told another time, before anything else is imported: to preload a library that
    tells it to the whole process breaks its waiting (libfaketime 0.9.10, clock_nanosleep).
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_PROGRAM.format(off_s=off_s))
    return {"PYTHONPATH": str(folder)}


def clock_that_steps(folder: Path, step: Path) -> dict[str, str]:
    """Make a clock of passing time (``time.monotonic``) that steps once a file is there.

    Args:
        folder: Where it is made; it must be empty.
        step: The file, with the seconds that have passed at once; moved there whole.

    Returns:
        The environment in which a Python has it.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_STEPPING.format(step=str(step)))
    return {"PYTHONPATH": str(folder)}
