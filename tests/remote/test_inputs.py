import json
from pathlib import Path

import pytest
from remote_run import Take

from stemset.cli.remote.inputs import Place, claim_place, find_place, upload
from stemset.errors import InputChanged, ObjectExists
from stemset.pipeline.plan import Recording, identify
from stemset.storage.store import Store


def put(store: Store, recording: Recording) -> str:
    place = claim_place(store, "far", recording)
    assert not place.stands
    upload(store, recording, place.key, lambda _: None)
    return place.key


def test_input_that_is_new_lies_under_its_own_name(store: Store, take: Take) -> None:
    path = take("Take 1 – Größe.wav")

    key = put(store, identify(path))

    assert key == "inputs/far/Take 1 – Größe.wav"
    assert store.head(key).bytes == path.stat().st_size


def test_input_that_is_there_is_found(store: Store, take: Take) -> None:
    recording = identify(take())
    key = put(store, recording)

    assert claim_place(store, "far", recording) == Place(key, stands=True)
    assert find_place(store, "far", recording) == Place(key, stands=True)


def test_input_with_the_name_of_another_lies_under_its_hash(store: Store, take: Take) -> None:
    first, second = identify(take(seed=1)), identify(take(seed=2, folder="other"))

    keys = [put(store, first), put(store, second)]

    assert keys == ["inputs/far/take.wav", f"inputs/far/{second.sha256}.wav"]
    assert claim_place(store, "far", second) == Place(keys[1], stands=True)


def test_input_of_another_profile_does_not_take_the_name(store: Store, take: Take) -> None:
    put(store, identify(take(seed=1)))

    place = claim_place(store, "near", identify(take(seed=2, folder="other")))

    assert place == Place("inputs/near/take.wav", stands=False)


def test_input_put_there_by_other_means_is_left_alone(store: Store, take: Take) -> None:
    recording = identify(take())
    store.write("inputs/far/take.wav", b"whose is this?")

    key = put(store, recording)

    assert key == f"inputs/far/{recording.sha256}.wav"
    assert store.read("inputs/far/take.wav") == b"whose is this?"


def test_input_claimed_by_a_killed_run_is_uploaded(store: Store, take: Take) -> None:
    recording = identify(take())
    claim_place(store, "far", recording)

    assert claim_place(store, "far", recording) == Place("inputs/far/take.wav", stands=False)


def test_input_cut_short_in_the_bucket_is_uploaded_again(store: Store, take: Take) -> None:
    recording = identify(take())
    key = put(store, recording)
    store.write(key, b"short")

    assert claim_place(store, "far", recording) == Place(key, stands=False)


def test_input_claimed_in_other_words_is_the_same(store: Store, take: Take) -> None:
    recording = identify(take())
    words = {"bytes": recording.size_bytes, "by": "another program", "sha256": recording.sha256}
    store.create("claims/far/take.wav", json.dumps(words).encode())

    assert claim_place(store, "far", recording).key == "inputs/far/take.wav"


@pytest.mark.parametrize("claim", [b"no json", b"[]", b"{}"])
def test_input_whose_claim_cannot_be_read_takes_another_name(
    store: Store, take: Take, claim: bytes
) -> None:
    recording = identify(take())
    store.create("claims/far/take.wav", claim)

    assert claim_place(store, "far", recording).key == f"inputs/far/{recording.sha256}.wav"


def test_input_without_any_name_left_is_refused(store: Store, take: Take) -> None:
    recording = identify(take())
    for name in ("take.wav", f"{recording.sha256}.wav"):
        store.create(f"claims/far/{name}", b'{"sha256": "another"}')

    with pytest.raises(ObjectExists, match=r"take\.wav"):
        claim_place(store, "far", recording)


def test_looking_for_a_place_claims_nothing(store: Store, bucket: Path, take: Take) -> None:
    find_place(store, "far", identify(take()))

    assert list(bucket.rglob("*.wav")) == []


def test_input_that_changes_while_it_is_uploaded_leaves_nothing(
    store: Store, bucket: Path, take: Take
) -> None:
    path = take()
    recording = identify(path)
    key = claim_place(store, "far", recording).key
    path.write_bytes(path.read_bytes()[:-4] + b"late")

    with pytest.raises(InputChanged, match=r"take\.wav"):
        upload(store, recording, key, lambda _: None)

    assert list((bucket / "inputs").rglob("*.wav")) == []


def test_upload_tells_every_byte(store: Store, take: Take) -> None:
    recording = identify(take())
    moved: list[int] = []

    upload(store, recording, "inputs/far/take.wav", moved.append)

    assert sum(moved) == recording.size_bytes
