from pathlib import Path

import pytest
from scripted_worker import FINGERPRINT, JOB_ID, SHA256, folder_of, leave_whole

from stemset.dispatch.standing import (
    Whole,
    attempt_to_order,
    find_attempt,
    find_standing,
    is_another_recordings,
    is_published,
    publish_once,
)
from stemset.errors import ObjectCorrupt
from stemset.storage.keys import CLAIM, MANIFEST
from stemset.storage.store import Store

OTHER_JOB = "99887766" * 4
OTHERS = "ef" * 32


def find(store: Store, job_id: str | None = JOB_ID) -> Whole | None:
    return find_standing(
        store,
        profile="far",
        output_name="take",
        sha256=SHA256,
        fingerprint=FINGERPRINT,
        job_id=job_id,
    )


def publish_whole(store: Store, attempt: int, job_id: str = JOB_ID, **facts: str) -> Whole:
    folder = folder_of(attempt, job_id)
    manifest = leave_whole(store, folder, job_id=job_id, **facts)
    whole = Whole(folder, manifest, is_published=False)
    publish_once(store, whole)
    return whole


def test_bucket_without_stems_has_none(store: Store) -> None:
    assert find(store) is None
    assert find(store, None) is None


def test_attempt_that_is_whole_stands_unpublished(store: Store) -> None:
    leave_whole(store, folder_of(2))

    found = find(store)

    assert found is not None
    assert (found.folder, found.is_published) == (folder_of(2), False)


def test_attempt_of_another_job_stands_only_once_it_is_published(store: Store) -> None:
    manifest = leave_whole(store, folder_of(1, OTHER_JOB), job_id=OTHER_JOB)
    assert find(store) is None

    publish_once(store, Whole(folder_of(1, OTHER_JOB), manifest, is_published=False))

    for job_id in (JOB_ID, None):
        found = find(store, job_id)
        assert found is not None
        assert (found.folder, found.is_published) == (folder_of(1, OTHER_JOB), True)


def test_attempt_of_nobody_in_particular_stands_only_if_published(store: Store) -> None:
    leave_whole(store, folder_of(1))

    assert find(store, None) is None


def test_published_attempt_goes_before_the_jobs_own(store: Store) -> None:
    leave_whole(store, folder_of(1))
    publish_whole(store, 5, OTHER_JOB)

    found = find(store)

    assert found is not None
    assert found.folder == folder_of(5, OTHER_JOB)


@pytest.mark.parametrize("facts", [{"fingerprint": OTHERS}, {"sha256": OTHERS}])
def test_published_stems_of_something_else_do_not_stand(
    store: Store, facts: dict[str, str]
) -> None:
    publish_whole(store, 1, OTHER_JOB, **facts)

    assert find(store) is None


def test_published_stems_that_are_damaged_do_not_stand(store: Store) -> None:
    whole = publish_whole(store, 1)
    store.delete([whole.folder.key("vocals.flac")])

    assert find(store) is None


@pytest.mark.parametrize("text", [b"no json", b"[]", b'{"attempt": "../.."}', b"{}"])
def test_metadata_that_say_nothing_are_passed_over(store: Store, text: bytes) -> None:
    leave_whole(store, folder_of(1))
    store.write("outputs/far/take/metadata.json", text)

    found = find(store)

    assert found is not None
    assert not found.is_published


def test_attempt_is_found_only_as_what_it_is(store: Store) -> None:
    leave_whole(store, folder_of(1))

    def found(job_id: str = JOB_ID, fingerprint: str = FINGERPRINT) -> Whole | None:
        return find_attempt(store, folder_of(1), fingerprint=fingerprint, job_id=job_id)

    assert found() is not None
    assert found(job_id=OTHER_JOB) is None
    assert found(fingerprint=OTHERS) is None
    store.write(folder_of(1).key("drums.flac"), b"short")
    assert found() is None


def test_attempt_with_a_manifest_that_cannot_be_read_is_corrupt(store: Store) -> None:
    store.write(folder_of(1).key(MANIFEST), b"no json")

    with pytest.raises(ObjectCorrupt):
        find_attempt(store, folder_of(1), fingerprint=FINGERPRINT, job_id=JOB_ID)


def test_publishing_twice_writes_once(store: Store, bucket: Path) -> None:
    whole = publish_whole(store, 1)
    metadata = bucket / "outputs/far/take/metadata.json"
    before = metadata.stat().st_ino

    publish_once(store, whole)

    assert is_published(store, whole.folder)
    assert not is_published(store, folder_of(2))
    assert metadata.stat().st_ino == before


def to_order(store: Store) -> int:
    return attempt_to_order(store, profile="far", output_name="take", job_id=JOB_ID)


def test_attempt_to_order_is_the_first_where_none_was_begun(store: Store) -> None:
    leave_whole(store, folder_of(4, OTHER_JOB), job_id=OTHER_JOB)

    assert to_order(store) == 1


def test_attempt_to_order_is_the_one_that_may_still_run(store: Store) -> None:
    leave_whole(store, folder_of(1))
    store.create(folder_of(3).key(CLAIM), b"{}")

    assert to_order(store) == 3


@pytest.mark.parametrize("manifest", [None, b"no json"])
def test_attempt_to_order_follows_one_that_has_ended(store: Store, manifest: bytes | None) -> None:
    if manifest is None:
        leave_whole(store, folder_of(2))
    else:
        store.create(folder_of(2).key(MANIFEST), manifest)

    assert to_order(store) == 3


def is_taken(store: Store) -> bool:
    return is_another_recordings(store, profile="far", output_name="take", sha256=SHA256)


@pytest.mark.parametrize(("sha256", "taken"), [(SHA256, False), (OTHERS, True)])
def test_output_name_is_taken_by_whose_stems_are_published(
    store: Store, sha256: str, taken: bool
) -> None:
    publish_whole(store, 1, sha256=sha256)

    assert is_taken(store) is taken


@pytest.mark.parametrize(("sha256", "taken"), [(SHA256, False), (OTHERS, True)])
def test_output_name_is_taken_by_whose_attempts_are_whole(
    store: Store, sha256: str, taken: bool
) -> None:
    store.create(folder_of(1).key(CLAIM), b"{}")
    store.create(folder_of(2).key(MANIFEST), b"no json")
    assert not is_taken(store)

    leave_whole(store, folder_of(3), sha256=sha256)

    assert is_taken(store) is taken
