"""`make bench`: measure every figure in one run, print a table, write build/bench.json.

Usage: run.py [--quick] [--only FIGURE…] [--docs]
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import figures
import peers
import quality
import remote
import report
import service
from figures import ROOT, STEMSET, Bench
from report import Report, Row

FIGURES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "speed": figures.speed,
    "profile": figures.profile,
    "start": figures.start,
    "parity": quality.parity,
    "borders": quality.borders,
    "memory": figures.memory,
    "remote": remote.remote,
    "service": service.service,
}
MODEL = "spleeter-2stems"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="leave out what takes hours of audio")
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md as well")
    arguments = parser.parse_args()

    peers.install()
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as scratch:
        bench = Bench(Path(scratch), example_song(), quick=arguments.quick)
        rows = tuple(row for name in arguments.only for row in measured(name, bench))
    result = Report(
        rows=rows,
        machine=report.machine(),
        versions={**report.own_versions(), **peers.versions()},
        command="make bench QUICK=1" if arguments.quick else "make bench",
    )
    print(f"\n{result.table()}\n")
    result.write_json(ROOT / "build" / "bench.json")
    print("Everything for programs: build/bench.json")
    if arguments.docs:
        result.write_page(ROOT / "docs" / "benchmarks.md")


def measured(name: str, bench: Bench) -> Iterator[Row]:
    """Measure one group of figures and print them as they come."""
    print(f"\n{name}", flush=True)
    for row in FIGURES[name](bench):
        print(f"  {row.figure}: {row.value:.4g} {row.unit}", flush=True)
        yield row


def example_song() -> Path:
    """The song that came with the model."""
    subprocess.run([STEMSET, "models", "install", MODEL], check=True)
    located = subprocess.run(
        [STEMSET, "models", "path", MODEL], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(located.stdout.strip()).with_name("example.mp3")


if __name__ == "__main__":
    main()
