from pathlib import Path

import pytest

from stemset.cli.remote.address import worker_address
from stemset.config import Profile, Settings, load_settings
from stemset.errors import InvalidConfig, RemoteUnavailable, SecretMissing, StemsetError

SECRET = "c3RlbXNldCBzZWNyZXQgb2YgMzIgYnl0ZXMgISEhISE="  # noqa: S105 - made up
FAR = Profile(name="far", source_folder=Path(), remote=True)


def settings(url: str | None = None, secret: str = "") -> Settings:
    environ = {"STEMSET_WORKER_SECRET": secret} | ({"GPU_WORKER_URL": url} if url else {})
    return load_settings(None, environ)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/", "http://localhost:8000", "http://[::1]:8000", "http://127.9.9.9"],
)
def test_address_on_loopback_needs_no_secret(url: str) -> None:
    assert worker_address(settings(url), FAR).url == url.rstrip("/")


def test_address_elsewhere_with_a_secret_is_taken() -> None:
    address = worker_address(settings("https://gpu.example/", SECRET), FAR)

    assert (address.url, address.secrets) == ("https://gpu.example", (SECRET,))


@pytest.mark.parametrize(
    ("url", "secret", "error", "says"),
    [
        (None, "", RemoteUnavailable, "--local"),
        ("https://gpu.example", "", SecretMissing, "openssl rand"),
        ("http://gpu.example:8000", SECRET, InvalidConfig, "https://gpu.example:8000"),
        ("http://localhost.example", SECRET, InvalidConfig, "https"),
        ("http://10.0.0.2", SECRET, InvalidConfig, "https"),
        ("gpu.example", SECRET, InvalidConfig, "https://"),
        ("ftp://gpu.example", SECRET, InvalidConfig, "https://"),
        ("https://", SECRET, InvalidConfig, "https://"),
        ("https://gpu.example:port", SECRET, InvalidConfig, "https://"),
        ("https://[::1", SECRET, InvalidConfig, "https://"),
        ("https://me:pass@gpu.example", SECRET, InvalidConfig, "password"),
        ("https://gpu.example/?a=b", SECRET, InvalidConfig, r"\?"),
    ],
)
def test_address_that_will_not_do_is_refused_with_what_to_do(
    url: str | None, secret: str, error: type[StemsetError], says: str
) -> None:
    with pytest.raises(error, match=says):
        worker_address(settings(url, secret), FAR)


def test_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidConfig) as refused:
        worker_address(settings("https://me:hunter2@gpu.example", SECRET), FAR)

    assert "hunter2" not in str(refused.value)
