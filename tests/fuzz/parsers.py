"""Our own parsers of what others send, each as a function of bytes that may raise one thing only.

``corpus/<name>/`` holds inputs of each: what it takes, what it must refuse, and what a run of
``make fuzz`` found to lead anywhere new.
"""

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stemset.api._strict_json import NotJson, check_json
from stemset.api.media.ranges import Version, is_known, part_of
from stemset.audio._decoder_wire import format_from_json
from stemset.audio._ogg_index import OggIndex
from stemset.audio._riff import read_promise
from stemset.audio.peaks_header import HEADER_BYTES, parse_header
from stemset.catalogue._checkpoint import read_arrays
from stemset.errors import (
    ClockSkewed,
    InvalidOrder,
    ModelCorrupt,
    ObjectCorrupt,
    OutputInvalid,
    SignatureInvalid,
    UnsupportedVersion,
)
from stemset.jobs._stranger import parse_stranger
from stemset.orders.messages import (
    ComputingSettings,
    Links,
    Message,
    Order,
    Ready,
    Report,
    parse_message,
)
from stemset.orders.signing import ID, SIGNATURE, TIMESTAMP, verify
from stemset.storage.keys import attempt_folder
from stemset.storage.outputs import check, parse_manifest, publish
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Parser:
    """A parser.

    Attributes:
        read: Reads any bytes, and does with the result what the program does.
        refusals: What may be raised.
    """

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()

    def survive(self, data: bytes) -> None:
        """Read bytes; whatever else it raises comes out."""
        with suppress(*self.refusals):
            self.read(data)

    def inputs(self, name: str) -> list[Path]:
        """Return the kept inputs of the parser of this name."""
        return sorted((CORPUS / name).iterdir())


# ---- files


class _File(io.BytesIO):
    """A file whose positions end where a real one's do, as the decoder process sees it."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (OverflowError, ValueError):
            return -1


def _riff(data: bytes) -> None:
    file = _File(data)
    promise = read_promise(file)
    assert file.tell() == 0
    if promise is not None and promise.frames is not None:
        assert 0 <= promise.frames_present <= len(data)
        assert promise.frames_beyond >= 0


def _ogg_index(data: bytes) -> None:
    index = OggIndex()
    index.feed(data[: len(data) // 2])
    index.feed(data[len(data) // 2 :])
    written = json.loads(json.dumps(index.as_json()))
    assert written["header_bytes"] + sum(written["page_bytes"]) <= len(data)


def _peaks_header(data: bytes) -> None:
    header = parse_header(data, len(data), "peaks")
    assert len(data) == HEADER_BYTES + 2 * header.pixels


# ---- checkpoints

SHAPES: Mapping[str, tuple[int, ...]] = {"conv.weight": (2, 3), "conv.bias": (2,)}


def _checkpoint(data: bytes) -> None:
    assert {name: array.shape for name, array in read_arrays(data, SHAPES).items()} == SHAPES


def _pickle(data: bytes) -> None:
    """Read a pickle as if a checkpoint held it: so a fuzzer need not learn to write a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("weights/data.pkl", data)
    _checkpoint(file.getvalue())


# ---- what lies in a bucket

_FOLDER = attempt_folder("h4n", "take_12345678", "0123456789abcdef", 1)


def _manifest(data: bytes) -> None:
    """Read a manifest, compare it with what is there, and publish it."""
    manifest = parse_manifest(data)
    store = open_store(StoreSettings("memory"))
    assert isinstance(check(store, _FOLDER, manifest, as_put=True), list)
    publish(store, _FOLDER, manifest)
    assert parse_manifest(manifest.to_bytes()) == manifest


def _metadata(data: bytes) -> None:
    parse_stranger("outputs/h4n/take_12345678", data)


# ---- messages


def _messages(data: bytes) -> None:
    refused: Exception | None = None
    for kind in (Order, Report, Links, ComputingSettings, Ready):
        try:
            _read_back(kind, data)
        except (InvalidOrder, UnsupportedVersion) as error:
            refused = error
    if refused:
        raise refused


def _read_back(kind: type[Message], data: bytes) -> None:
    message = parse_message(kind, data)
    assert parse_message(kind, message.line()) == message


def _decoder_wire(data: bytes) -> None:
    """Read the decoder process's first line, as its parent does."""
    found = format_from_json(dict(json.loads(data))["format"])
    assert 1 <= len(found.channels) <= 8


SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"  # noqa: S105 - it guards nothing


def _signature(data: bytes) -> None:
    """Read the three headers and a body, a line each; ``now`` stands for a time that fits."""
    lines = [*data.split(b"\n", 3), b"", b"", b"", b""]
    message_id, stamp, signature = (line.decode("latin-1") for line in lines[:3])
    stamp = str(int(time.time())) if stamp == "now" else stamp
    verify([SECRET], {ID: message_id, TIMESTAMP: stamp, SIGNATURE: signature}, lines[3])


# ---- requests

_VERSION = Version(1000, '"tag"', datetime(2026, 1, 1, tzinfo=UTC))


def _range(data: bytes) -> None:
    """Read the headers that say which part is wanted, a line each."""
    lines = [*data.decode("latin-1").split("\n", 2), "", "", ""]
    headers = dict(zip(("range", "if-none-match", "if-range"), lines, strict=False))
    headers = {name: value for name, value in headers.items() if value}
    part = part_of(headers, _VERSION)
    assert part is None or 0 <= part.length <= _VERSION.bytes
    assert part is None or not part.length or part.offset + part.length <= _VERSION.bytes
    assert is_known(headers, _VERSION) in {True, False}


PARSERS = {
    "checkpoint": Parser(_checkpoint, (ModelCorrupt,)),
    "pickle": Parser(_pickle, (ModelCorrupt,)),
    "riff": Parser(_riff),
    "ogg_index": Parser(_ogg_index, (OutputInvalid,)),
    "peaks_header": Parser(_peaks_header, (OutputInvalid,)),
    "manifest": Parser(_manifest, (ObjectCorrupt,)),
    "metadata": Parser(_metadata, (ObjectCorrupt,)),
    "messages": Parser(_messages, (InvalidOrder, UnsupportedVersion)),
    "decoder_wire": Parser(_decoder_wire, (KeyError, TypeError, ValueError, RecursionError)),
    "signature": Parser(_signature, (SignatureInvalid, ClockSkewed)),
    "range": Parser(_range),
    "json": Parser(check_json, (NotJson,)),
}
"""Every parser by its name. The boxes of MP4 are only written, so none reads them."""
