"""How much memory a process had at most, for programs that tests run as processes of their own.

A program begins with ``PEAK_MB``, which is the source of a function: so it needs none of the tests'
modules.
"""

PEAK_MB = '''
import resource, sys
from pathlib import Path

def peak_mb():
    """Most MiB that this process had resident at once."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
    # What Linux counts in ru_maxrss begins with what the parent had when it was forked.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10
'''
