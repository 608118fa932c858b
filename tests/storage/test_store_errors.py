import inspect
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from obstore import exceptions as obstore_errors
from r2_proxy import Kind, R2Proxy
from s3_server import S3Server

from stemset.errors import (
    InvalidKey,
    NoSpace,
    ObjectCorrupt,
    ObjectExists,
    ObjectNotFound,
    StemsetError,
    StorageRefused,
    StorageUnavailable,
)
from stemset.storage._obstore_errors import BY_KIND, leaf
from stemset.storage._refusals import passes, refusal
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

SECRET = "mistyped-secret-that-nobody-may-see"  # noqa: S105 - no secret at all

CALLS: dict[str, Callable[[Store, Path], object]] = {
    "read": lambda store, _: store.read("a/b"),
    "write": lambda store, _: store.write("a/b", b""),
    "create": lambda store, _: store.create("a/b", b""),
    "download": lambda store, path: store.download("a/b", path / "copy"),
    "upload": lambda store, path: store.upload(_long_file(path), "a/b"),
    "list": lambda store, _: list(store.list_below("a")),
    "delete": lambda store, _: store.delete(["a/b"]),
}


def _long_file(folder: Path) -> Path:
    """A file that goes in parts."""
    path = folder / "source"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(20_000_000)
    return path


@pytest.mark.parametrize(
    "kind",
    [kind for _, kind in inspect.getmembers(obstore_errors, inspect.isclass)],
    ids=lambda kind: kind.__name__,
)
def test_every_error_of_obstore_has_a_leaf(kind: type[Exception]) -> None:
    assert kind in BY_KIND
    assert "code" in vars(type(leaf(kind("reason"), "a/b")))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (FileNotFoundError, "", ObjectNotFound),
        (FileNotFoundError, "status code: 404 : <Code>NoSuchBucket</Code>", StorageRefused),
        (obstore_errors.AlreadyExistsError, "", ObjectExists),
        (obstore_errors.PreconditionError, "status code: 412 ", ObjectExists),
        (obstore_errors.PermissionDeniedError, "status code: 403 ", StorageRefused),
        (
            obstore_errors.PermissionDeniedError,
            "status code: 403 : <Code>QuotaExceeded</Code>",
            NoSpace,
        ),
        (obstore_errors.UnauthenticatedError, "status code: 401 ", StorageRefused),
        (obstore_errors.GenericError, "status code: 400 : <Code>Odd</Code>", StorageRefused),
        (obstore_errors.GenericError, "status code: 416 ", ObjectCorrupt),
        (obstore_errors.GenericError, "status code: 503 ", StorageUnavailable),
        (obstore_errors.GenericError, "status code: 507 ", NoSpace),
        (obstore_errors.GenericError, "HTTP error: error sending request", StorageUnavailable),
        (obstore_errors.GenericError, "No space left on device (os error 28)", NoSpace),
        (obstore_errors.GenericError, "Permission denied (os error 13)", StorageRefused),
        (obstore_errors.GenericError, "Connection refused (os error 111)", StorageUnavailable),
        (OSError, "anything", StorageUnavailable),
        (TimeoutError, "", StorageUnavailable),
        (ValueError, "Could not parse path", InvalidKey),
    ],
)
def test_error_of_obstore_becomes_the_leaf_of_its_situation(
    kind: type[Exception], text: str, expected: type[StemsetError]
) -> None:
    error = leaf(kind(text), "a/b")

    assert type(error) is expected
    assert "a/b" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "InvalidAccessKeyId", "R2_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "R2_SECRET_ACCESS_KEY"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "AccessDenied", "R2_BUCKET_NAME"),
        (404, "NoSuchBucket", "R2_BUCKET_NAME"),
        (400, "InvalidRegionName", "STEMSET_S3_REGION"),
        (307, "", "STEMSET_S3_ENDPOINT"),
        (401, "", "R2_SECRET_ACCESS_KEY"),
    ],
)
def test_refusal_says_what_to_check(status: int, code: str, advice: str) -> None:
    error = refusal(status, code, "a/b")

    assert type(error) is StorageRefused
    assert advice in str(error)
    assert not passes(status, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, ""), (503, "SlowDown"), (429, ""), (408, ""), (409, "OperationAborted"), (0, "Odd")],
)
def test_refusal_that_passes_is_an_outage(status: int, code: str) -> None:
    assert passes(status, code)
    assert type(refusal(status, code, "a/b")) is StorageUnavailable


@pytest.mark.alone
@pytest.mark.s3
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"secret_access_key": SECRET}, "R2_SECRET_ACCESS_KEY"),
        ({"access_key_id": "nobody"}, "R2_ACCESS_KEY_ID"),
        ({"bucket": "no-such-bucket"}, "R2_BUCKET_NAME"),
    ],
    ids=["secret", "key", "bucket"],
)
def test_setting_that_is_wrong_is_refused_at_once_by_name(
    bucket_settings: StoreSettings, tmp_path: Path, call: str, wrong: dict[str, str], advice: str
) -> None:
    store = open_store(replace(bucket_settings, **wrong))
    begun = time.monotonic()

    with pytest.raises(StorageRefused, match=advice) as caught:
        CALLS[call](store, tmp_path)

    assert time.monotonic() - begun < 10
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_settings_and_store_show_no_secret(tmp_path: Path) -> None:
    settings = StoreSettings("s3", "bucket", "http://127.0.0.1:9", secret_access_key=SECRET)
    store = open_store(settings)

    assert SECRET not in repr(settings)
    assert SECRET not in repr(store) + str(vars(store))
    del tmp_path


@pytest.mark.parametrize("endpoint", ["", "host", "https://host/bucket"])
def test_open_store_with_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(StorageRefused, match="STEMSET_S3_ENDPOINT"):
        open_store(StoreSettings("s3", "bucket", endpoint))


@pytest.mark.s3
def test_variables_of_another_program_change_nothing(
    bucket_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ENDPOINT", "ENDPOINT_URL", "ENDPOINT_URL_S3"):
        monkeypatch.setenv(f"AWS_{name}", "http://127.0.0.1:9")
    for name in ("SESSION_TOKEN", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "BUCKET"):
        monkeypatch.setenv(f"AWS_{name}", "another-programs")
    for name in ("SKIP_SIGNATURE", "VIRTUAL_HOSTED_STYLE_REQUEST", "S3_EXPRESS", "REQUEST_PAYER"):
        monkeypatch.setenv(f"AWS_{name}", "true")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "false")
    store = open_store(bucket_settings)

    store.create("a/b", b"content")

    assert store.read("a/b") == b"content"
    assert "another-programs" not in store.sign("GET", ["a/b"], expires_s=60)[0]


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_sign_where_there_is_no_server_is_refused(tmp_path: Path, kind: str) -> None:
    store = open_store(StoreSettings(kind, str(tmp_path)))  # type: ignore[arg-type]

    with pytest.raises(StorageRefused, match="presigned"):
        store.sign("GET", ["a/b"], expires_s=60)


@pytest.mark.s3
def test_redirect_is_not_followed(r2_settings: StoreSettings, r2_proxy: R2Proxy) -> None:
    r2_proxy.fails(Kind.REDIRECTED, "PUT")

    with pytest.raises(StorageRefused, match="STEMSET_S3_ENDPOINT"):
        open_store(r2_settings).write("a/b", b"content")


@pytest.mark.s3
def test_bucket_that_is_full_is_named(
    bucket_settings: StoreSettings, s3_server: S3Server, tmp_path: Path
) -> None:
    store = open_store(bucket_settings)
    s3_server.limit_bucket(bucket_settings.bucket, 1_000_000)

    with pytest.raises(NoSpace, match="takes no more"):
        store.upload(_long_file(tmp_path), "a/b")
    with pytest.raises(NoSpace, match="takes no more"):
        store.write("a/c", bytes(2_000_000))

    s3_server.limit_bucket(bucket_settings.bucket, None)
    store.upload(_long_file(tmp_path), "a/b")


@pytest.mark.parametrize("length", [2_000_000, 20_000_000], ids=["one request", "parts"])
def test_folder_on_a_full_disk_is_named_and_keeps_no_part(tmp_path: Path, length: int) -> None:
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from stemset.errors import NoSpace\n"
        "from stemset.storage.settings import StoreSettings\n"
        "from stemset.storage.store import open_store\n"
        "store = open_store(StoreSettings('folder', sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, -1))\n"
        "try:\n"
        "    store.upload(Path(sys.argv[2]), 'a/b')\n"
        "except NoSpace as error:\n"
        "    print(error)\n"
    )
    (tmp_path / "source").write_bytes(bytes(length))

    result = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "store", tmp_path / "source"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == "The disk is full: a/b could not be stored.\n"
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageRefused, match="folder refuses"):
        open_store(StoreSettings("folder", str(tmp_path / "file")))
