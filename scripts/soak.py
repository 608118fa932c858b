"""Use a whole service for hours while faults are made, and watch whether anything grows.

The environment says how: ``HOURS`` or ``MINUTES`` (10 minutes), ``SEED`` of what is done (a random
one), ``FOLDER`` for samples, summary and logs (one in ``build/soak/``), ``CALM=1`` for no faults.
Ctrl-C ends it early. The exit status is 1 if something grows beyond its bound, or an invariant
broke.
"""

import os
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_MINUTES = 10.0


def main() -> int:
    """Run it. Returns the exit status."""
    for folder in ("faults", "cli", "jobs", "postgres", "storage"):
        sys.path.insert(0, str(_ROOT / "tests" / folder))
    from chaos_run import example_samples  # noqa: PLC0415 - found only now
    from soak_run import Plan, run  # noqa: PLC0415 - found only now

    variables = os.environ
    minutes = 60 * float(variables.get("HOURS") or 0) + float(variables.get("MINUTES") or 0)
    seed = int(variables.get("SEED") or random.SystemRandom().randrange(1_000_000))
    begun = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    folder = Path(variables.get("FOLDER") or _ROOT / "build" / "soak" / begun)
    is_calm = bool(variables.get("CALM"))
    plan = Plan(60 * (minutes or _MINUTES), seed, folder.absolute(), is_calm=is_calm)
    _tell(f"{plan.seconds / 60:g} min, seed {seed}; kept in {folder}")
    outcome = run(example_samples(), plan, _tell)
    _tell(f"\n{outcome}\nkept in {folder}")
    return 1 if outcome.problems or outcome.grown else 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
