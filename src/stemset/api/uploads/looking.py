"""A look at a file that is to be a recording: its header and its first frame, by the decoder.

Of a file that lies in the bucket only what the decoder reads is fetched: its begin and its end, and
then what turned out to be missing. The file that the decoder has open is as long as the whole, and
whatever depends on a byte that was not fetched decides nothing: so no file is refused that would be
taken if it were here.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stemset.api.uploads.desk import Desk
from stemset.api.uploads.spool import make, write_at
from stemset.audio.decode import BytesMissing, DecodeLimits, probe
from stemset.audio.formats import RecordingFormat
from stemset.errors import InputError
from stemset.jobs.uploads import Upload
from stemset.storage.store import Store

PROBE_CPU_S = 20
"""A header takes 0.12 CPU-seconds with the start of its process; a hostile one takes no more."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How much of a file in the bucket is fetched to look at it.

    Attributes:
        begin_bytes: What is fetched of its begin; FFmpeg tells formats apart by 1 MiB at most.
        end_bytes: What is fetched of its end, where some formats have their index.
        most_bytes: What is fetched at most: a picture in an MP3's tags has 256 MB at most.
        longest_s: How long more is fetched.
    """

    begin_bytes: int = 1 << 20
    end_bytes: int = 256 << 10
    most_bytes: int = 288 << 20
    longest_s: float = 30.0


async def look_at(desk: Desk, path: Path, filename: str) -> RecordingFormat:
    """What a file that is here is made of.

    Raises:
        InputError: It is no recording; the error speaks of the name that the client knows.
    """
    with _called(path, filename):
        async with desk.probing:
            return await desk.service.threads.run(probe, path, _limits(desk))


async def look_into_bucket(desk: Desk, upload: Upload) -> RecordingFormat | None:
    """What a file in the bucket is made of, None if that cannot be told with little effort.

    Raises:
        InputError: It is no recording; the error speaks of the name that the client knows.
        StorageError, NoSpace: It cannot be looked at now.
    """
    path = desk.folder / f"{upload.id}.{secrets.token_hex(4)}"
    file = Remote(desk.service.store, str(upload.input_key), upload.size_bytes)
    with _called(path, upload.filename):
        async with desk.looking:
            return await desk.service.threads.run(look_into, file, path, _limits(desk))


@dataclass(frozen=True, slots=True)
class Remote:
    """A file that lies in a store.

    Attributes:
        store: The store.
        key: Its key.
        bytes: Its length.
    """

    store: Store
    key: str
    bytes: int


def look_into(
    file: Remote, path: Path, limits: DecodeLimits, reach: Reach | None = None
) -> RecordingFormat | None:
    """What a file in a store is made of; blocks.

    Args:
        file: The file.
        path: Where to put what is fetched of it; nothing is left there.
        limits: What looking may cost.
        reach: How much is fetched; the defaults if None.

    Returns:
        None if more would have to be fetched to tell.

    Raises:
        InputError: It is no recording.
        StorageError: The store does not answer, or the file is not there.
        NoSpace: The disk is full.
    """
    reach = reach or Reach()
    try:
        return _look(file, path, limits, reach)
    except InputError:
        # Nothing vouches for what came: what is to be refused is fetched anew, and looked at again.
        return _look(file, path, limits, reach)


def _look(file: Remote, path: Path, limits: DecodeLimits, reach: Reach) -> RecordingFormat | None:
    try:
        make(path, file.bytes)
        return _look_further(file, path, limits, reach)
    finally:
        path.unlink(missing_ok=True)


def _look_further(
    file: Remote, path: Path, limits: DecodeLimits, reach: Reach
) -> RecordingFormat | None:
    """Fetch the begin and the end, then what turns out to be missing."""
    until_s = time.monotonic() + reach.longest_s
    here: list[tuple[int, int]] = []
    wanted = [(0, reach.begin_bytes), (file.bytes - reach.end_bytes, file.bytes)]
    step = reach.begin_bytes
    while True:
        for begin, end in wanted:
            here = _fetched(file, path, here, (max(begin, 0), min(end, file.bytes)))
        try:
            return probe(path, limits, here)
        except BytesMissing as missing:
            step *= 4  # a start of the decoder costs more than a megabyte
            wanted = [(missing.position, missing.position + step)]
        came = sum(end - begin for begin, end in here)
        is_enough = came + step > reach.most_bytes or time.monotonic() > until_s
        if is_enough or not 0 <= wanted[0][0] < file.bytes:
            return None


def _fetched(
    file: Remote, path: Path, here: Sequence[tuple[int, int]], wanted: tuple[int, int]
) -> list[tuple[int, int]]:
    """Fetch what is wanted and not here; returns what is here then, in order, without seams."""
    position, end = wanted
    for known_begin, known_end in sorted([*here, (end, end)]):
        stop = min(known_begin, end)
        if position < stop:
            length = stop - position
            blocks = file.store.stream(file.key, offset=position, length=length)
            write_at(path, position, blocks, length)
        position = max(position, known_end)
    return list(_joined(sorted([*here, wanted])))


def _joined(pieces: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begin, end = pieces[0]
    for next_begin, next_end in pieces[1:]:
        if next_begin > end:
            yield begin, end
            begin = next_begin
        end = max(end, next_end)
    yield begin, end


@contextmanager
def _called(path: Path, filename: str) -> Iterator[None]:
    """Let errors speak of the name that the client knows."""
    try:
        yield
    except InputError as error:
        raise type(error)(str(error).replace(str(path), filename)) from error


def _limits(desk: Desk) -> DecodeLimits:
    return DecodeLimits(
        max_duration_s=desk.service.settings.max_duration_s, probe_cpu_s=PROBE_CPU_S
    )
