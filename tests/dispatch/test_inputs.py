import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from scripted_worker import Take

from stemset.dispatch.inputs import Place, claim_place, find_place, upload
from stemset.errors import InputChanged, ObjectExists
from stemset.storage.store import OnBytes, Store


@dataclass(frozen=True)
class Recording:
    """A file, and what it was when it was hashed."""

    path: Path
    sha256: str
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "Recording":
        data, status = path.read_bytes(), path.stat()
        return cls(path, hashlib.sha256(data).hexdigest(), len(data), status.st_mtime_ns)

    @property
    def facts(self) -> tuple[str, str, int]:
        return self.path.name, self.sha256, self.size_bytes


def claim(store: Store, recording: Recording) -> Place:
    return claim_place(store, "far", *recording.facts)


def put_under(
    store: Store, recording: Recording, key: str, on_bytes: OnBytes = lambda _: None
) -> None:
    upload(
        store,
        recording.path,
        key,
        on_bytes,
        size_bytes=recording.size_bytes,
        modified_ns=recording.modified_ns,
    )


def put(store: Store, recording: Recording) -> str:
    place = claim(store, recording)
    assert not place.stands
    put_under(store, recording, place.key)
    return place.key


def test_input_that_is_new_lies_under_its_own_name(store: Store, take: Take) -> None:
    path = take("Take 1 – Größe.wav")

    key = put(store, Recording.of(path))

    assert key == "inputs/far/Take 1 – Größe.wav"
    assert store.head(key).bytes == path.stat().st_size


def test_input_that_is_there_is_found(store: Store, take: Take) -> None:
    recording = Recording.of(take())
    key = put(store, recording)

    assert claim(store, recording) == Place(key, stands=True)
    assert find_place(store, "far", *recording.facts) == Place(key, stands=True)


def test_input_with_the_name_of_another_lies_under_its_hash(store: Store, take: Take) -> None:
    first, second = Recording.of(take(seed=1)), Recording.of(take(seed=2, folder="other"))

    keys = [put(store, first), put(store, second)]

    assert keys == ["inputs/far/take.wav", f"inputs/far/{second.sha256}.wav"]
    assert claim(store, second) == Place(keys[1], stands=True)


def test_input_of_another_profile_does_not_take_the_name(store: Store, take: Take) -> None:
    put(store, Recording.of(take(seed=1)))

    place = claim_place(store, "near", *Recording.of(take(seed=2, folder="other")).facts)

    assert place == Place("inputs/near/take.wav", stands=False)


def test_input_put_there_by_other_means_is_left_alone(store: Store, take: Take) -> None:
    recording = Recording.of(take())
    store.write("inputs/far/take.wav", b"whose is this?")

    key = put(store, recording)

    assert key == f"inputs/far/{recording.sha256}.wav"
    assert store.read("inputs/far/take.wav") == b"whose is this?"


def test_input_claimed_by_a_killed_run_is_uploaded(store: Store, take: Take) -> None:
    recording = Recording.of(take())
    claim(store, recording)

    assert claim(store, recording) == Place("inputs/far/take.wav", stands=False)


def test_input_cut_short_in_the_bucket_is_uploaded_again(store: Store, take: Take) -> None:
    recording = Recording.of(take())
    key = put(store, recording)
    store.write(key, b"short")

    assert claim(store, recording) == Place(key, stands=False)


def test_input_claimed_in_other_words_is_the_same(store: Store, take: Take) -> None:
    recording = Recording.of(take())
    words = {"bytes": recording.size_bytes, "by": "another program", "sha256": recording.sha256}
    store.create("claims/far/take.wav", json.dumps(words).encode())

    assert claim(store, recording).key == "inputs/far/take.wav"


@pytest.mark.parametrize("note", [b"no json", b"[]", b"{}"])
def test_input_whose_claim_cannot_be_read_takes_another_name(
    store: Store, take: Take, note: bytes
) -> None:
    recording = Recording.of(take())
    store.create("claims/far/take.wav", note)

    assert claim(store, recording).key == f"inputs/far/{recording.sha256}.wav"


def test_input_without_any_name_left_is_refused(store: Store, take: Take) -> None:
    recording = Recording.of(take())
    for name in ("take.wav", f"{recording.sha256}.wav"):
        store.create(f"claims/far/{name}", b'{"sha256": "another"}')

    with pytest.raises(ObjectExists, match=r"take\.wav"):
        claim(store, recording)


def test_looking_for_a_place_claims_nothing(store: Store, bucket: Path, take: Take) -> None:
    find_place(store, "far", *Recording.of(take()).facts)

    assert list(bucket.rglob("*.wav")) == []


def test_input_that_changes_while_it_is_uploaded_leaves_nothing(
    store: Store, bucket: Path, take: Take
) -> None:
    path = take()
    recording = Recording.of(path)
    key = claim(store, recording).key
    path.write_bytes(path.read_bytes()[:-4] + b"late")

    with pytest.raises(InputChanged, match=r"take\.wav"):
        put_under(store, recording, key)

    assert list((bucket / "inputs").rglob("*.wav")) == []


def test_upload_tells_every_byte(store: Store, take: Take) -> None:
    recording = Recording.of(take())
    moved: list[int] = []

    put_under(store, recording, "inputs/far/take.wav", moved.append)

    assert sum(moved) == recording.size_bytes
