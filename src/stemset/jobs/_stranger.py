"""Metadata of an output that somebody else published, as far as it can be relied upon."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stemset.errors import InvalidKey, ObjectCorrupt
from stemset.jobs.caller import LOCAL
from stemset.jobs.filenames import shown_name
from stemset.jobs.recordings import Found
from stemset.storage.keys import AttemptFolder, parse_attempt_folder

MAX_BYTES = 4 << 20

_URL_FIELDS = ("stem_url", "waveform_url")
_URL_LISTS = ("companion_urls", "peaks_urls")
_MAX_BYTES = (1 << 63) - 1


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Recording(_Strict):
    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=_MAX_BYTES)
    duration_s: float | None = Field(default=None, ge=0)
    rate_hz: int | None = Field(default=None, ge=0, lt=1 << 31)
    channels: list[str] | None = None


class _Stem(_Strict):
    stem_url: str
    waveform_url: str | None = None
    companion_urls: list[str] = []
    peaks_urls: list[str] = []


class _File(_Strict):
    bytes: int = Field(ge=0, le=_MAX_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Metadata(_Strict):
    attempt: str
    fingerprint: str
    recording: _Recording
    stems: dict[str, _Stem] = Field(min_length=1)
    files: dict[str, _File] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Stranger:
    """An output that stands in the store and not in the ledger.

    Attributes:
        folder: Where its files lie.
        metadata: Its metadata as the ledger keeps them: names of files are relative to ``folder``.
        recording: Its recording; whether that lies in the store as well is not known.
    """

    folder: AttemptFolder
    metadata: Mapping[str, Any]
    recording: Found


def parse_stranger(prefix: str, data: bytes) -> Stranger:
    """Read what an output's ``metadata.json`` holds.

    Args:
        prefix: The output's key.
        data: Any bytes.

    Raises:
        ObjectCorrupt: They do not say what they must.
    """
    try:
        written = json.loads(data)
        _check_storable(written)
        facts = _Metadata.model_validate(written)
        folder = parse_attempt_folder(f"{prefix}/{facts.attempt}")
        metadata = _flat(written, folder)
        _check_names(metadata, folder)
    except (ValueError, RecursionError, InvalidKey) as error:
        raise ObjectCorrupt("The metadata do not say what they must.") from error
    return Stranger(folder, metadata, _found(facts.recording))


def _check_storable(written: object) -> None:
    """Refuse what JSON can hold and the database cannot: NUL, half a surrogate pair, infinity."""
    text = json.dumps(written, ensure_ascii=False, allow_nan=False)
    text.encode()
    if "\\u0000" in text:
        message = "it holds a NUL"
        raise ValueError(message)


def _flat(written: Mapping[str, Any], folder: AttemptFolder) -> dict[str, Any]:
    """The metadata with names relative to the attempt's folder, as a manifest has them."""
    start = f"{folder.name}/"
    stems = {name: _flat_stem(stem, start) for name, stem in written["stems"].items()}
    files = {path.removeprefix(start): facts for path, facts in written["files"].items()}
    return {**written, "stems": stems, "files": files}


def _flat_stem(stem: Mapping[str, Any], start: str) -> dict[str, Any]:
    urls = {each: stem[each].removeprefix(start) for each in _URL_FIELDS if stem.get(each)}
    lists = {each: [url.removeprefix(start) for url in stem.get(each, [])] for each in _URL_LISTS}
    return {**stem, **urls, **lists}


def _check_names(metadata: Mapping[str, Any], folder: AttemptFolder) -> None:
    """Raises InvalidKey, or ValueError for a stem without a file."""
    for name in metadata["files"]:
        folder.key(name)
    if not {stem["stem_url"] for stem in metadata["stems"].values()} <= set(metadata["files"]):
        message = "a stem's file is not among the files"
        raise ValueError(message)


def _found(recording: _Recording) -> Found:
    return Found(
        sha256=recording.sha256,
        filename=shown_name(recording.name),
        bytes=recording.bytes,
        duration_s=recording.duration_s,
        rate_hz=recording.rate_hz,
        channels=None if recording.channels is None else len(recording.channels),
        input_key=None,
        is_proven=True,  # an attempt hashes what it works on, and is whole
        owner=LOCAL,
    )
