"""How long ago this process was started, of which Python knows nothing."""

import os
import time
from pathlib import Path

_LOADED_S = time.monotonic()
_START_TIME_FIELD = 22  # Source: proc_pid_stat(5)


def process_age_s() -> float:
    """Seconds since this process was started; where the system does not say, since this import."""
    try:
        fields = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        started_s = int(fields[_START_TIME_FIELD - 3]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_s
    except (OSError, ValueError, IndexError, AttributeError):
        return time.monotonic() - _LOADED_S
