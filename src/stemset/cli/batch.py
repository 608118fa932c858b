"""Several recordings, one after the other: what ``split`` and ``process`` have in common."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stemset.audio.decode import DecodeLimits, Decoder
from stemset.audio.formats import RecordingFormat
from stemset.catalogue.entries import check_licence, find
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import Node
from stemset.catalogue.weights import installed
from stemset.cli.downloads import clear_download
from stemset.cli.exit_codes import ExitCode, exit_code
from stemset.cli.report import Report, shown
from stemset.errors import (
    InputNotFound,
    ModelError,
    ModelNotInstalled,
    NoSpace,
    OutputUnwritable,
    StemsetError,
)
from stemset.pipeline.networks import Networks
from stemset.pipeline.plan import (
    Job,
    Recording,
    find_done,
    identify,
    plan_job,
    refuse_other_settings,
)
from stemset.separation.signals import plan_signals

_ENDINGS = """
    aac ac3 aif aiff amr ape au avi caf eac3 flac m4a m4b m4v mka mkv mov mp2 mp3 mp4 mpeg mpg mts
    oga ogg opus rf64 ts tta w64 wav weba webm wma wv
"""
AUDIO_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())
"""Endings of the files that are taken from a folder; a file that is named is always tried."""

# After one of these, every other recording would fail in the same way.
_ENDS_THE_BATCH = (ModelError, NoSpace, OutputUnwritable)


@dataclass(frozen=True, slots=True)
class Batch:
    """What to make of several recordings.

    Attributes:
        root: Folder of the outputs.
        strategy_name: Name of the strategy.
        strategy: Its tree.
        choice: The output format.
        limits: Limits of the decoder.
        profile: Name of the profile, if there is one.
        replaces: Whether an output with other settings is replaced without asking.
        original_manner: Compute as the networks' authors do.
        force: Make again what is done.
        dry_run: Only say what would be done.
        allow_licences: Licences that models may have, None for all.
    """

    root: Path
    strategy_name: str
    strategy: Node
    choice: OutputChoice
    limits: DecodeLimits
    profile: str | None = None
    replaces: bool = False
    original_manner: bool = False
    force: bool = False
    dry_run: bool = False
    allow_licences: Sequence[str] | None = None
    networks: Networks = field(default_factory=Networks)


@dataclass(slots=True)
class Tally:
    """What has come of the recordings so far.

    Attributes:
        done: How many stand, those that stood before included.
        failures: Why others do not.
        seen: Hashes of the recordings that were looked at.
    """

    done: int = 0
    failures: list[StemsetError] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def exit_code(self) -> ExitCode:
        """The batch's exit code."""
        if not self.failures:
            return ExitCode.OK
        return ExitCode.SOME_FAILED if self.done else exit_code(self.failures[0])


def run_batch(batch: Batch, paths: Iterable[Path], report: Report) -> ExitCode:
    """Make the outputs of all recordings; one that fails does not stop the others.

    Raises:
        StemsetError: What would stop every other recording as well.
    """
    check_licences(batch)
    _check_installed(batch)
    tally = Tally()
    for path in paths:
        try:
            _run_one(batch, path, report, tally)
            tally.done += 1
        except StemsetError as error:
            report.failed(path, error)
            tally.failures.append(error)
            if isinstance(error, _ENDS_THE_BATCH):
                report.end(tally.done, len(tally.failures))
                return exit_code(error)
    report.end(tally.done, len(tally.failures))
    return tally.exit_code()


def check_licences(batch: Batch) -> None:
    """Refuse models whose licence is not allowed. Raises LicenceRefused, UnknownModel."""
    for name in batch.strategy.models():
        check_licence(find(name), batch.allow_licences)


def recordings(paths: Iterable[Path]) -> Iterator[Path]:
    """Replace each folder by the recordings in it, sorted by name."""
    for path in paths:
        if path.is_dir():
            yield from recordings_in(path)
        else:
            yield path


def recordings_in(folder: Path) -> list[Path]:
    """The recordings of a folder, by their endings; hidden files are left alone."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in AUDIO_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def look_at(batch: Batch, path: Path, report: Report, tally: Tally) -> Recording | None:
    """Identify a recording; None, after saying so, if there is nothing to do.

    Raises:
        InputError: It cannot be read.
        OutputExists: Stems with other settings stand, and are not to be replaced.
    """
    if not os.path.lexists(path):
        raise InputNotFound(f"There is no file {shown(path)}.")
    # A device or pipe is refused here, by the decoder's rules, before hashing could block on it.
    recording = identify(path)
    if recording.sha256 in tally.seen:
        report.skipped(path, None)
        return None
    tally.seen.add(recording.sha256)
    if batch.force:
        return recording
    wanted = fingerprint(batch.strategy, batch.choice, original_manner=batch.original_manner)
    if folder := find_done(batch.root, recording, wanted):
        report.skipped(path, folder)
        return None
    if not batch.replaces:
        refuse_other_settings(batch.root, recording, wanted)
    return recording


def plan(batch: Batch, recording: Recording, source: RecordingFormat) -> Job:
    """Decide about a recording's output. See ``plan_job``."""
    return plan_job(
        recording,
        source,
        root=batch.root,
        strategy_name=batch.strategy_name,
        strategy=batch.strategy,
        choice=batch.choice,
        profile=batch.profile,
        original_manner=batch.original_manner,
    )


def _run_one(batch: Batch, path: Path, report: Report, tally: Tally) -> None:
    recording = look_at(batch, path, report, tally)
    if recording is None:
        return
    if not batch.dry_run:
        batch.networks.load_ahead(
            plan_signals(batch.strategy, original_manner=batch.original_manner),
            original_manner=batch.original_manner,
        )
    with Decoder(recording.path, batch.limits) as decoder:
        job = plan(batch, recording, decoder.format)
        report.planned(job)
        if not batch.dry_run:
            _make(batch, job, decoder, report)


def _make(batch: Batch, job: Job, decoder: Decoder, report: Report) -> None:
    # Loads the network's runtime, which a plan does not need.
    from stemset.pipeline.run import run  # noqa: PLC0415

    with report.progress(job) as on_progress:
        metadata = run(job, batch.networks, decoder, on_progress=on_progress, limits=batch.limits)
    clear_download(job.output)
    report.complete(job, metadata)


def _check_installed(batch: Batch) -> None:
    for name in batch.strategy.models():
        if installed(find(name)) is None:
            raise ModelNotInstalled(
                f"The model {name} is not installed. Install it with: stemset models install {name}"
            )
