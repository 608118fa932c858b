"""A short soak: what a service takes after minutes of use, compared with what it took at first.

`make soak HOURS=8` is the long one, with faults; in this one nothing is killed, so that each
process lives for as long as it takes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from figures import ROOT, Bench
from report import Row, at_most

MINUTES = 2.5
SEED = 20_261_129
NAMES = {
    "serve: MB": "memory of the service",
    "serve: descriptors": "descriptors of the service",
    "consume: MB": "memory of the consumer",
    "consume: descriptors": "descriptors of the consumer",
    "worker: MB": "memory of the worker",
    "worker: descriptors": "descriptors of the worker",
    "consume computing: MB": "memory of a computing process",
    "database: connections": "connections to the database",
    "database: beside books MB": "database beside its books",
}
MOST, MOST_OF_COUNTS = 1.1, 1.25
"""What is counted is few: a pool opens and closes two or three connections as it needs them."""

_SCRIPT = ROOT / "scripts" / "soak.py"


def soak(bench: Bench) -> Iterator[Row]:
    """Last quarter ÷ first quarter of what was sampled, warm-up left out."""
    folder = bench.scratch / "soak"
    summary = run(folder)
    how = f"{MINUTES:g} min without faults, {summary['did']['jobs']} jobs"
    for series, name in NAMES.items():
        if (each := summary["series"].get(series)) is not None:
            detail = f"{each['first']:.1f}, then {each['last']:.1f}; {how}"
            most = MOST if series.endswith(" MB") else MOST_OF_COUNTS
            yield at_most(most, f"Last ÷ first, {name}", each["last"] / each["first"], "", detail)
    problems = summary["problems"]
    detail = problems[0] if problems else how
    yield at_most(0, "Invariants broken in it", len(problems), "", detail)


def run(folder: Path) -> Mapping[str, Any]:
    """Run it, and read what it wrote."""
    asked = {"MINUTES": f"{MINUTES:g}", "SEED": f"{SEED}", "FOLDER": str(folder), "CALM": "1"}
    print(f"  $ make soak CALM=1 MINUTES={MINUTES:g} SEED={SEED}", flush=True)
    env = {name: value for name, value in os.environ.items() if name != "HOURS"}
    done = subprocess.run(
        [sys.executable, _SCRIPT], env=env | asked, capture_output=True, text=True, check=False
    )
    file = folder / "summary.json"
    if not file.exists():
        raise SystemExit(f"The soak did not come to its end:\n{done.stdout[-2000:]}{done.stderr}")
    return json.loads(file.read_text())
