import os
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from r2_proxy import Kind, R2Proxy

from stemset.errors import InvalidKey, ObjectCorrupt, ObjectNotFound, StorageRefused
from stemset.storage._multipart import Multipart
from stemset.storage.exchange import Wanted
from stemset.storage.keys import attempt_folder, input_key
from stemset.storage.links import LinkMaker
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

MIB = 1 << 20
KEY = input_key("h4n", "take.wav")
FOLDER = attempt_folder("h4n", "take_12345678", "job12345", 1)
NOWHERE = StoreSettings("s3", "bucket", "http://127.0.0.1:9", access_key_id="a")
PART = 5 * MIB


def put(url: str, data: bytes) -> httpx.Response:
    return httpx.put(url, content=data, trust_env=False)


def put_parts(maker: LinkMaker, name: str, *parts: bytes) -> list[str]:
    """Put parts; returns their ETags."""
    etags = []
    for number, data in enumerate(parts, 1):
        wanted = Wanted("PUT", name, bytes=len(data), part=number, parts=len(parts))
        answer = put(maker.make([wanted])[0], data)
        assert answer.is_success
        etags.append(answer.headers["ETag"])
    return etags


def completion(name: str, etags: list[str], length: int) -> list[Wanted]:
    return [Wanted("PUT", name, bytes=length, parts=len(etags), etags=tuple(etags))]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("PUT"),
        Wanted("PUT", "../2/manifest.json"),
        Wanted("GET", "a/b"),
        Wanted("PUT", ".hidden"),
        Wanted("GET", "../../../../inputs/h4n/another.wav"),
        Wanted("PUT", "vocals.wav", part=0, parts=1),
        Wanted("PUT", "vocals.wav", part=10_001, parts=10_001),
    ],
    ids=str,
)
def test_link_beyond_the_order_is_refused(wanted: Wanted) -> None:
    with pytest.raises(InvalidKey):
        LinkMaker(NOWHERE, KEY, FOLDER).make([wanted])


@pytest.mark.parametrize("key", ["outputs/h4n/a/1/b", "inputs/h4n/../x", "inputs/h4n", ""])
def test_link_maker_for_no_recording_is_refused(key: str) -> None:
    with pytest.raises(InvalidKey):
        LinkMaker(NOWHERE, key, FOLDER)


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_link_maker_without_a_bucket_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(StorageRefused, match="presigned"):
        LinkMaker(StoreSettings(kind, str(tmp_path)), KEY, FOLDER)  # type: ignore[arg-type]


@pytest.mark.s3
def test_links_come_in_order_and_work(bucket_settings: StoreSettings) -> None:
    store = open_store(bucket_settings)
    store.write(KEY, b"recording")
    maker = LinkMaker(bucket_settings, KEY, FOLDER)

    get_input, put_stem, get_stem = maker.make(
        [Wanted("GET"), Wanted("PUT", "vocals + 1.wav"), Wanted("GET", "vocals + 1.wav")]
    )

    assert httpx.get(get_input, trust_env=False).content == b"recording"
    assert put(put_stem, b"stem").is_success
    assert httpx.get(get_stem, trust_env=False).content == b"stem"
    assert store.read(FOLDER.key("vocals + 1.wav")) == b"stem"


@pytest.mark.s3
def test_link_serves_its_own_object_and_method_only(bucket_settings: StoreSettings) -> None:
    open_store(bucket_settings).write(KEY, b"recording")
    (url,) = LinkMaker(bucket_settings, KEY, FOLDER).make([Wanted("GET")])

    assert put(url, b"other").status_code == 403
    assert httpx.get(url.replace("take.wav", "other.wav"), trust_env=False).status_code == 403


@pytest.mark.s3
def test_upload_that_is_completed_twice_is_complete(r2_settings: StoreSettings) -> None:
    maker = LinkMaker(r2_settings, KEY, FOLDER)
    parts = (os.urandom(PART), b"rest")
    wanted = completion("vocals.wav", put_parts(maker, "vocals.wav", *parts), PART + 4)

    assert maker.make(wanted) == [""]
    assert maker.make(wanted) == [""]
    assert open_store(r2_settings).read(FOLDER.key("vocals.wav"), limit=9 * MIB) == b"".join(parts)


@pytest.mark.s3
def test_upload_with_a_part_missing_is_corrupt(r2_settings: StoreSettings) -> None:
    maker = LinkMaker(r2_settings, KEY, FOLDER)
    etags = put_parts(maker, "vocals.wav", bytes(PART))

    with pytest.raises(ObjectCorrupt):
        maker.make(completion("vocals.wav", [*etags, '"0" & <none>'], PART + 4))


@pytest.mark.s3
def test_upload_of_parts_in_another_order_is_corrupt(r2_settings: StoreSettings) -> None:
    maker = LinkMaker(r2_settings, KEY, FOLDER)
    etags = put_parts(maker, "vocals.wav", os.urandom(PART), os.urandom(PART))

    with pytest.raises(ObjectCorrupt):
        maker.make(completion("vocals.wav", etags[::-1], 2 * PART))


@pytest.mark.s3
def test_upload_of_unequal_parts_is_refused_by_r2(
    r2_settings: StoreSettings, r2_proxy: R2Proxy
) -> None:
    maker = LinkMaker(r2_settings, KEY, FOLDER)
    etags = put_parts(maker, "vocals.wav", bytes(PART), bytes(PART + 1), b"rest")

    with pytest.raises(ObjectCorrupt):
        maker.make(completion("vocals.wav", etags, 2 * PART + 5))
    assert r2_proxy.refused == ["InvalidPart"]


@pytest.mark.s3
def test_upload_of_another_length_than_was_said_is_corrupt(r2_settings: StoreSettings) -> None:
    maker = LinkMaker(r2_settings, KEY, FOLDER)
    etags = put_parts(maker, "vocals.wav", bytes(PART))

    with pytest.raises(ObjectCorrupt, match="does not have 7 bytes"):
        maker.make(completion("vocals.wav", etags, 7))


@pytest.mark.s3
def test_completion_of_nothing_is_named(r2_settings: StoreSettings) -> None:
    with pytest.raises(ObjectNotFound, match=r"vocals\.wav"):
        LinkMaker(r2_settings, KEY, FOLDER).make(completion("vocals.wav", ['"0"'], 5))


@pytest.mark.s3
def test_abandon_drops_the_folders_uploads_only(r2_settings: StoreSettings) -> None:
    maker = LinkMaker(r2_settings, KEY, FOLDER)
    other = LinkMaker(r2_settings, KEY, replace(FOLDER, name="job12345-11"))
    put_parts(maker, "vocals.wav", bytes(PART))
    put_parts(maker, "drums + 1.wav", bytes(PART))
    put_parts(other, "vocals.wav", bytes(PART))

    maker.abandon()
    maker.abandon()

    left = [each.key for each in Multipart(r2_settings).under_way("outputs/")]
    assert left == ["outputs/h4n/take_12345678/job12345-11/vocals.wav"]


@pytest.mark.s3
def test_begin_whose_answer_was_lost_goes_on_with_one_upload(
    r2_settings: StoreSettings, r2_proxy: R2Proxy
) -> None:
    r2_proxy.fails(Kind.LOST_ANSWER, "POST", "uploads")
    multipart = Multipart(r2_settings)

    upload_id = multipart.begin("outputs/a")

    assert len(list(multipart.under_way("outputs/a"))) == 2
    assert multipart.upload_id("outputs/a") == upload_id
