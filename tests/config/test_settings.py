"""What the service reads of the environment: its limits, its folder, its database."""

import os
import sys
from pathlib import Path

import pytest

from stemset.config import load_settings
from stemset.errors import InvalidConfig, SecretMissing


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_settings_nothing_set_are_the_defaults():
    settings = load_settings(environ={})

    assert settings.database_url is None
    assert settings.max_upload_bytes == 20 * 1024**3
    assert settings.max_uploads == 256
    assert settings.upload_expires_s == 24 * 3600


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform == "darwin", reason="of root on Linux")
def test_data_folder_of_root_is_the_systems():
    assert load_settings(environ={}).data == Path("/var/lib/stemset/data")


def test_data_folder_of_a_user_is_the_users(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere/share")

    data = load_settings(environ={}).data

    assert data.name == "stemset"
    assert data.is_absolute()


def test_data_folder_relative_is_relative_to_the_file(tmp_path: Path):
    (tmp_path / "band").mkdir()
    file = tmp_path / "band" / "config.yaml"
    file.write_text("profiles: []")

    settings = load_settings(file, {"STEMSET_DATA_DIR": "state"})

    assert settings.data == tmp_path / "band" / "state"


def test_data_folder_of_the_call_wins(tmp_path: Path):
    settings = load_settings(environ={"STEMSET_DATA_DIR": "state"}, data=Path("here"))

    assert settings.data == tmp_path / "here"


@pytest.mark.parametrize(
    "name", ["STEMSET_MAX_UPLOAD_BYTES", "STEMSET_MAX_UPLOADS", "STEMSET_CALLS_PER_S"]
)
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "20G", "²", "9" * 30])
def test_limit_no_whole_number_is_refused_by_name(name: str, text: str):
    with pytest.raises(InvalidConfig, match=f"{name} must be a whole number from 1 on, got"):
        load_settings(environ={name: text})


@pytest.mark.parametrize("text", ["0", "604801"])
def test_links_that_no_bucket_makes_are_refused(text: str):
    with pytest.raises(InvalidConfig, match=r"STEMSET_LINK_EXPIRES_S .* from 1 to 604,800, got"):
        load_settings(environ={"STEMSET_LINK_EXPIRES_S": text})


@pytest.mark.parametrize("name", ["STEMSET_UPLOAD_EXPIRES_S", "STEMSET_STALL_S"])
def test_time_no_number_is_refused_by_name(name: str):
    with pytest.raises(InvalidConfig, match=f"{name} must be a number of seconds"):
        load_settings(environ={name: "a day"})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://band:s%40cret@db.example:5432/stemset?sslmode=require",
        "postgres://localhost",
        "postgresql://band@/stemset?host=%2Frun%2Fpostgresql",
        "postgresql://one:1,two:2/stemset",
        "host=/run/postgresql dbname=stemset",
        "host = db password = 'it\\'s a://secret' dbname=stemset",
        "service=band",
    ],
)
def test_database_url_libpq_reads_it_is_taken_as_it_is(url: str):
    assert load_settings(environ={"DATABASE_URL": url}).database_url == url


def test_database_url_empty_is_none():
    assert load_settings(environ={"DATABASE_URL": ""}).database_url is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://band:s3cret@db/stemset", "it begins with mysql://"),
        ("postgresql+asyncpg://band:s3cret@db/stemset", r"begins with postgresql\+asyncpg://"),
        ("sqlite:///s3cret.db", "it begins with sqlite://"),
        ("s3cret", "no address"),
        ("host=db password='s3cret", "no address"),
        ("postgresql://band:p@s3cret@db/stemset", "@ as %40"),
        ("postgresql://band:p/s3cret@db/stemset", "/ as %2F"),
    ],
)
def test_database_url_of_no_postgres_is_refused_without_its_password(url: str, reason: str):
    with pytest.raises(InvalidConfig, match=reason) as caught:
        _ = load_settings(environ={"DATABASE_URL": url}).database_url

    assert "s3cret" not in str(caught.value)


def test_settings_shown_hide_secrets():
    settings = load_settings(environ={"DATABASE_URL": "postgresql://band:s3cret@db/stemset"})

    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "token", ["short", "x" * 201, "of whoever watches", "of-wh\nöever-watches"]
)
def test_metrics_token_that_is_none_is_refused(token: str):
    with pytest.raises(SecretMissing, match="STEMSET_METRICS_TOKEN must be at least 16"):
        load_settings(environ={"STEMSET_METRICS_TOKEN": token})


def test_metrics_token_is_taken_and_never_shown():
    settings = load_settings(environ={"STEMSET_METRICS_TOKEN": "of-whoever-watches"})

    assert settings.metrics_token == "of-whoever-watches"  # noqa: S105 - of this test
    assert "of-whoever-watches" not in repr(settings)
    assert load_settings(environ={"STEMSET_METRICS_TOKEN": ""}).metrics_token is None
