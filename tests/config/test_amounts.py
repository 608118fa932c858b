"""Ages and sizes of ``config.yaml``."""

from datetime import timedelta
from pathlib import Path

import pytest

from stemset.config import Settings, load_settings
from stemset.errors import InvalidConfig


def settings_of(folder: Path, text: str) -> Settings:
    file = folder / "config.yaml"
    file.write_text(text)
    return load_settings(file, {})


def test_retention_not_said_keeps_for_ever(tmp_path: Path):
    settings = settings_of(tmp_path, "profiles: [{name: band, source_folder: .}]")

    kept = settings.retention["band"]
    assert (kept.inputs, kept.outputs) == (None, None)
    assert settings.profiles["band"].quota is None


@pytest.mark.parametrize(
    ("text", "hours"),
    [("12h", 12), ("30d", 720), ("2w", 336), ("1y", 8760), ("forever", None)],
)
def test_age_as_it_is_written_is_that_long(tmp_path: Path, text: str, hours: int | None):
    settings = settings_of(
        tmp_path, f"profiles: [{{name: band, source_folder: ., retention: {{outputs: {text}}}}}]"
    )

    kept = settings.retention["band"].outputs
    assert kept == (None if hours is None else timedelta(hours=hours))


@pytest.mark.parametrize("text", ["0d", "30", "-1d", "1.5d", "30 days", "1m", "never", "123456d"])
def test_age_that_is_none_is_refused_with_what_is_allowed(tmp_path: Path, text: str):
    said = rf"profiles\.0\.retention\.inputs: .*{text}.* is no age: write such as 12h, 30d, 2w, 1y"
    with pytest.raises(InvalidConfig, match=said):
        settings_of(
            tmp_path, f"profiles: [{{name: b, source_folder: ., retention: {{inputs: {text}}}}}]"
        )


def test_retention_for_all_holds_where_a_profile_says_nothing(tmp_path: Path):
    settings = settings_of(
        tmp_path,
        """
        retention: {inputs: 30d, outputs: 1y}
        profiles:
          - {name: band, source_folder: .}
          - {name: desk, source_folder: ., retention: {inputs: 7d}}
          - {name: archive, source_folder: ., retention: {outputs: forever}}
        """,
    )

    days = {
        name: [each and each.days for each in (ages.inputs, ages.outputs)]
        for name, ages in settings.retention.items()
    }
    assert days == {"band": [30, 365], "desk": [7, 365], "archive": [30, None]}


def test_retention_of_something_else_is_refused(tmp_path: Path):
    with pytest.raises(InvalidConfig, match=r"retention\.stems"):
        settings_of(tmp_path, "retention: {stems: 3d}\nprofiles: []")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500MB", 500 * 10**6),
        ("50GB", 50 * 10**9),
        ("1.5 TB", 1_500 * 10**9),
        ("40GiB", 40 * 2**30),
    ],
)
def test_quota_as_it_is_written_is_that_large(tmp_path: Path, text: str, size: int):
    settings = settings_of(tmp_path, f"profiles: [{{name: band, source_folder: ., quota: {text}}}]")

    assert settings.profiles["band"].quota == size


@pytest.mark.parametrize("text", ["50", "0GB", "50gb", "-1GB", "5kB", "lots"])
def test_quota_that_is_none_is_refused_with_what_is_allowed(tmp_path: Path, text: str):
    said = rf"profiles\.0\.quota: .*{text}.* is no size: write such as 500MB, 50GB"
    with pytest.raises(InvalidConfig, match=said):
        settings_of(tmp_path, f"profiles: [{{name: band, source_folder: ., quota: {text}}}]")
