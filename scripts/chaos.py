"""Send many jobs through a service that is killed, stopped and frozen all the time.

The environment says how: ``SECONDS`` of faults at least (60), ``JOBS`` that are accepted meanwhile
at least (any number), ``SEED`` of what is done (a random one). What became of the jobs is printed;
the exit status is 1 if a job was lost, done twice, or is not what it should be. Logs stay where the
last line says.
"""

import os
import random
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_SECONDS = 60.0


def main() -> int:
    """Run it. Returns the exit status."""
    for folder in ("faults", "cli", "jobs", "postgres", "storage"):
        sys.path.insert(0, str(_ROOT / "tests" / folder))
    from chaos_run import Extent, example_samples, run  # noqa: PLC0415 - found only now

    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    jobs = int(os.environ.get("JOBS") or 0)
    seconds = float(os.environ.get("SECONDS") or (0 if jobs else _SECONDS))
    logs = Path(tempfile.mkdtemp(prefix="stemset-chaos-")) / "service"
    _tell(f"{seconds:g} s of faults and {jobs} jobs at least, seed {seed}; logs: {logs}")
    account = run(example_samples(), seed, Extent(seconds, jobs), logs, _tell)
    _tell(f"{account}\nlogs: {logs}")
    return 1 if account.problems else 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
