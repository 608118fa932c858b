"""A look at a file in a bucket tells what a look at the whole would, of a part of its bytes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import corpus
import pytest
from corpus import CORPUS, RATE_HZ, wav_format
from s3_server import S3Server

from stemset.api.uploads.looking import Reach, Remote, look_into
from stemset.audio.decode import DecodeLimits, probe
from stemset.audio.formats import RecordingFormat
from stemset.errors import InputError, ObjectNotFound
from stemset.storage.store import Store, open_store

pytestmark = pytest.mark.s3

LITTLE = Reach(begin_bytes=64_000, end_bytes=8_000)
"""So little at first that more is needed of many files of the corpus."""


@pytest.fixture(scope="module")
def store(s3_server: S3Server) -> Store:
    s3_server.mend()
    return open_store(s3_server.new_bucket())


class Counting:
    """A store that counts the bytes that are read."""

    def __init__(self, store: Store) -> None:
        self.bytes = 0
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        for block in self._store.stream(key, offset=offset, length=length):
            self.bytes += len(block)
            yield block


def put(store: Store, path: Path) -> Remote:
    key = f"inputs/here/{path.name}"
    store.upload(path, key)
    return Remote(store, key, path.stat().st_size)


def outcome(look: Callable[[], RecordingFormat | None]) -> object:
    """What a look gives, or the code of its refusal."""
    try:
        return look()
    except InputError as error:
        return error.code


@pytest.mark.parametrize("name", [name for name in CORPUS if name != "empty.wav"])
def test_look_into_the_bucket_tells_what_a_look_at_the_whole_does(
    store: Store, tmp_path: Path, name: str
):
    path = corpus.write(name, tmp_path)
    limits = DecodeLimits(max_duration_s=CORPUS[name].limit_s or DecodeLimits().max_duration_s)
    file = put(store, path)

    looked = outcome(lambda: look_into(file, tmp_path / "looked", limits, LITTLE))

    # What only decoding all of it tells is taken.
    is_refused = isinstance(looked, str)
    assert looked == (CORPUS[name].code if is_refused else outcome(lambda: probe(path, limits)))
    assert not (tmp_path / "looked").exists()


@pytest.mark.parametrize("end", [b"", b"LIST" + (4000).to_bytes(4, "little") + bytes(4000)])
def test_look_at_a_long_recording_fetches_little_of_it(store: Store, tmp_path: Path, end: bytes):
    frames = 4 * 60 * RATE_HZ
    head = corpus.riff(wav_format(2, "16"), b"", size=0, data_size=4 * frames)
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 4 * frames)
        file.seek(0, 2)
        file.write(end)
    counting = Counting(store)
    remote = put(store, tmp_path / "long.wav")

    found = look_into(
        Remote(counting, remote.key, remote.bytes),  # pyright: ignore[reportArgumentType]
        tmp_path / "looked",
        DecodeLimits(),
    )

    assert found is not None
    assert found.frames == frames
    assert counting.bytes == Reach().begin_bytes + Reach().end_bytes < remote.bytes // 30


def test_look_that_would_have_to_fetch_too_much_tells_nothing(store: Store, tmp_path: Path):
    counting = Counting(store)
    remote = put(store, corpus.write("huge-art.mp3", tmp_path))
    bounded = Remote(counting, remote.key, remote.bytes)  # pyright: ignore[reportArgumentType]
    reach = Reach(most_bytes=8 << 20)

    assert look_into(bounded, tmp_path / "looked", DecodeLimits(), reach) is None
    assert counting.bytes <= reach.most_bytes


def test_look_at_a_file_that_is_not_there_is_an_error(store: Store, tmp_path: Path):
    missing = Remote(store, "inputs/here/missing.wav", 1000)

    with pytest.raises(ObjectNotFound):
        look_into(missing, tmp_path / "looked", DecodeLimits())
    assert not (tmp_path / "looked").exists()
