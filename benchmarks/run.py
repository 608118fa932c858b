"""`make bench`: measure every figure in one run, print a table, write build/bench.json.

Usage: run.py [--quick] [--only SECTION…] [--docs]
"""

import argparse
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import figures
import networks
import peers
import quality
import remote
import report
import service
import soak
from figures import ROOT, STEMSET, Bench
from page import Page
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
    "load": service.load,
    "soak": soak.soak,
    "demucs": networks.demucs,
    "bag": networks.bag,
    "networks": networks.networks,
    "gpu": networks.gpu,
    "networks-memory": networks.memory,
}
PAGE = ROOT / "docs" / "benchmarks.md"
MODEL = "spleeter-2stems"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="leave out what takes hours of audio")
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md as well")
    arguments = parser.parse_args()

    peers.install()
    versions = {**report.own_versions(), **peers.versions()}
    result = Report(report.machine(), versions, typed(arguments))
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as scratch:
        bench = Bench(Path(scratch), example_song(), quick=arguments.quick)
        for name in arguments.only:
            result.sections[name] = tuple(measured(name, bench))
            # Written as they come: hours of measuring are not lost by what fails after them.
            result.write_json(ROOT / "build" / "bench.json")
            if arguments.docs:
                write_section(result, name)
    print(f"\n{result.table()}\n")
    print("Everything for programs: build/bench.json")


def typed(arguments: argparse.Namespace) -> str:
    """What a person types for this run."""
    words = ["make bench"]
    if arguments.quick:
        words.append("QUICK=1")
    if arguments.docs:
        words.append("DOCS=1")
    if arguments.only != list(FIGURES):
        words.append(f"ONLY={shlex.quote(' '.join(arguments.only))}")
    return " ".join(words)


def measured(name: str, bench: Bench) -> Iterator[Row]:
    """Measure one group of figures and print them as they come."""
    print(f"\n{name}", flush=True)
    for row in FIGURES[name](bench):
        print(f"  {row.figure}: {row.value:.4g} {row.unit}", flush=True)
        yield row


def write_section(result: Report, name: str) -> None:
    """Replace a section of the page, unless all of it was left out here."""
    if rows := result.sections[name]:
        page = Page.read(PAGE)
        page.replace(name, rows, result.measured_at, result.facts)
        page.write(PAGE, FIGURES)


def example_song() -> Path:
    """The song that came with the model."""
    subprocess.run([STEMSET, "models", "install", MODEL], check=True)
    located = subprocess.run(
        [STEMSET, "models", "path", MODEL], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(located.stdout.strip()).with_name("example.mp3")


if __name__ == "__main__":
    main()
