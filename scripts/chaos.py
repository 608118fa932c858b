"""Send many jobs through a service that is killed, stopped and frozen all the time.

The environment says how: ``SECONDS`` of faults (60), ``SEED`` of what is done (a random one). What
became of the jobs is printed; the exit status is 1 if a job was lost, done twice, or is not what it
should be. Logs stay where the last line says.
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
    from chaos_run import example_samples, run  # noqa: PLC0415 - found only now

    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    seconds = float(os.environ.get("SECONDS") or _SECONDS)
    logs = Path(tempfile.mkdtemp(prefix="stemset-chaos-")) / "service"
    sys.stdout.write(f"{seconds:g} s of faults, seed {seed}\n")
    sys.stdout.flush()
    account = run(example_samples(), seed, seconds, logs)
    sys.stdout.write(f"{account}\nlogs: {logs}\n")
    return 1 if account.problems else 0


if __name__ == "__main__":
    sys.exit(main())
