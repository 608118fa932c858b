"""What is to be done with a recording: everything that is known before any audio moves."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stemset.audio.encode import Encoding, plan_encoding
from stemset.audio.formats import RecordingFormat
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import Node
from stemset.errors import InputChanged, InputNotFound, InputUnreadable, OutputExists
from stemset.pipeline.output import METADATA_NAME, read_metadata
from stemset.storage.keys import SHORT_SHA256, output_name

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recording:
    """An input file.

    Attributes:
        path: Where it stands.
        sha256: Hash of its bytes.
        size_bytes: Its length.
        modified_ns: Its modification time when it was hashed.
        name: The file's name as the person knows it; bytes that are no UTF-8 are shown as
            replacement characters.
    """

    path: Path
    sha256: str
    size_bytes: int
    modified_ns: int
    name: str


@dataclass(frozen=True, slots=True)
class Job:
    """One recording and what to make of it.

    Attributes:
        recording: The input.
        source: What its header says.
        profile: Name of the profile, None without one.
        strategy_name: Name of the strategy.
        strategy: Its tree.
        encoding: How the stems are written.
        fingerprint: Identity of everything that decides about the samples.
        original_manner: Stems as the networks' authors compute them, for comparison; they need
            not add up to the mix.
        root: Folder of outputs.
        output_name: Name of this output's folder below it.
    """

    recording: Recording
    source: RecordingFormat
    profile: str | None
    strategy_name: str
    strategy: Node
    encoding: Encoding
    fingerprint: str
    original_manner: bool
    root: Path
    output_name: str

    @property
    def output(self) -> Path:
        """The output folder."""
        return self.root / self.output_name


def identify(path: Path) -> Recording:
    """Hash a recording.

    Raises:
        InputNotFound: There is no such file.
        InputUnreadable: It is no regular file, or may not be read.
        InputChanged: It changed while it was read.
    """
    if not path.exists():
        raise InputNotFound(f"There is no file {path}.")
    if not path.is_file():
        raise InputUnreadable(f"{path} is no regular file.")
    digest = hashlib.sha256()
    try:
        before = path.stat()
        with path.open("rb") as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
        after = path.stat()
    except FileNotFoundError as error:
        raise InputChanged(f"{path} vanished while it was read.") from error
    except OSError as error:
        raise InputUnreadable(f"{path} cannot be read: {error.strerror}.") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputChanged(f"{path} changed while it was read.")
    name = os.fsencode(path.name).decode("utf-8", "replace")
    return Recording(path, digest.hexdigest(), after.st_size, after.st_mtime_ns, name)


def plan_job(
    recording: Recording,
    source: RecordingFormat,
    *,
    root: Path,
    strategy_name: str,
    strategy: Node,
    choice: OutputChoice,
    profile: str | None = None,
    original_manner: bool = False,
) -> Job:
    """Decide about a recording's output.

    Raises:
        UnsupportedFormat: The chosen format cannot hold it.
    """
    return Job(
        recording=recording,
        source=source,
        profile=profile,
        strategy_name=strategy_name,
        strategy=strategy,
        encoding=plan_encoding(choice.format, choice.bitrate_kbps, source, choice.depth),
        fingerprint=fingerprint(strategy, choice, original_manner=original_manner),
        original_manner=original_manner,
        root=root,
        output_name=_free_name(recording, root),
    )


def find_done(root: Path, recording: Recording, wanted: str) -> Path | None:
    """Find the output of this recording with this fingerprint."""
    for folder, metadata in _outputs_of(root, recording):
        if metadata.get("fingerprint") == wanted:
            return folder
    return None


def refuse_other_settings(root: Path, recording: Recording, wanted: str) -> None:
    """Keep an output that was made on purpose with other settings.

    Raises:
        OutputExists: There is one.
    """
    for folder, metadata in _outputs_of(root, recording):
        if metadata.get("fingerprint") != wanted:
            raise OutputExists(
                f"{folder} holds stems of this recording that were made with other settings. "
                "Choose another folder with -o, or replace it with --force."
            )


def _free_name(recording: Recording, root: Path) -> str:
    """The output's name, with more digits if other content has taken it."""
    name = ""
    for digits in range(SHORT_SHA256, len(recording.sha256) + 1):
        name = output_name(recording.path.name, recording.sha256, digits)
        taken_by = read_metadata(root / name)
        if taken_by is None or _sha256_of(taken_by) == recording.sha256:
            break
    return name


def _outputs_of(root: Path, recording: Recording) -> Iterator[tuple[Path, dict[str, object]]]:
    for path in sorted(root.glob(f"*_{recording.sha256[:SHORT_SHA256]}*/{METADATA_NAME}")):
        metadata = read_metadata(path.parent)
        if metadata and _sha256_of(metadata) == recording.sha256:
            yield path.parent, metadata


def _sha256_of(metadata: dict[str, object]) -> object:
    recording = metadata.get("recording")
    return recording.get("sha256") if isinstance(recording, dict) else None
