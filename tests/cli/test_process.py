from pathlib import Path

import pytest
from program import Stemset

CONFIG = """
strategies:
  voice: {_: spleeter-2stems, vocals: voice, not_vocals: band}
profiles:
  - name: h4n
    source_folder: ${RECORDINGS}
    strategy: voice
    output: {format: mp3, bitrate: 128}
  - {name: far, source_folder: recordings, remote: true}
"""


@pytest.fixture
def folder(tmp_path: Path, take: Path) -> Path:
    """A working folder with a configuration and one recording."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / ".env").write_text("RECORDINGS=recordings\n")
    (tmp_path / "recordings").mkdir()
    take.rename(tmp_path / "recordings" / "take.wav")
    return tmp_path


def test_process_splits_the_source_folder_into_the_media_folder(
    stemset: Stemset, folder: Path
) -> None:
    ended = stemset("process", "h4n")

    assert ended.code == 0, ended.err
    (output,) = (folder / "media" / "h4n").iterdir()
    names = {path.name for path in output.iterdir()}
    assert {"voice.mp3", "band.mp3", "voice.player.opus", "metadata.json"} <= names


def test_process_again_does_only_what_is_new(stemset: Stemset, folder: Path) -> None:
    stemset("process", "h4n")
    recording = folder / "recordings" / "take.wav"
    (folder / "recordings" / "again.wav").write_bytes(recording.read_bytes()[:-4000])

    ended = stemset("process", "h4n", "--json")

    (complete,) = ended.events("error") + ended.events("complete")
    assert complete["file"].endswith("again.wav")
    assert len(ended.events("skipped")) == 1


def test_process_after_a_change_of_the_profile_replaces_the_output(
    stemset: Stemset, folder: Path
) -> None:
    stemset("process", "h4n")
    (folder / "config.yaml").write_text(CONFIG.replace("format: mp3, bitrate: 128", "format: wav"))

    ended = stemset("process", "h4n", "--json")

    assert len(ended.events("complete")) == 1
    (output,) = (folder / "media" / "h4n").iterdir()
    assert (output / "voice.wav").exists()
    assert not (output / "voice.mp3").exists()


@pytest.mark.usefixtures("folder")
def test_process_of_a_named_file_finds_it_in_the_source_folder(stemset: Stemset) -> None:
    assert stemset("process", "h4n", "take.wav").code == 0
    assert stemset("process", "h4n", "../outside.wav").code == 1


def test_process_of_a_remote_profile_says_that_it_needs_a_worker(
    stemset: Stemset, folder: Path
) -> None:
    assert folder.exists()
    refused = stemset("process", "far", env={"RECORDINGS": "recordings"})
    local = stemset("process", "far", "--local")

    assert refused.code == 5
    assert "--local" in refused.err
    assert "[remote_unavailable]" in refused.err
    assert local.code == 0


SECRET = {"STEMSET_WORKER_SECRET": "c3RlbXNldCBzZWNyZXQgb2YgMzIgYnl0ZXMgISEhISE="}
NO_BUCKET_THERE = {
    "R2_BUCKET_NAME": "band",
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "key",
    "STEMSET_S3_ENDPOINT": "http://127.0.0.1:9",
    "STEMSET_STORAGE_RETRY_S": "0.1",
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("environment", "code", "error", "says"),
    [
        ({"GPU_WORKER_URL": "https://gpu.example"}, 2, "secret_missing", "openssl rand"),
        ({"GPU_WORKER_URL": "http://gpu.example", **SECRET}, 2, "config_invalid", "https://"),
        ({"GPU_WORKER_URL": "gpu.example", **SECRET}, 2, "config_invalid", "https://"),
        (
            {"GPU_WORKER_URL": "http://127.0.0.1:9"},
            2,
            "storage_not_configured",
            "R2_BUCKET_NAME",
        ),
        (
            {"GPU_WORKER_URL": "http://127.0.0.1:9", **NO_BUCKET_THERE},
            5,
            "storage_unavailable",
            "http://127.0.0.1:9 (R2_ACCOUNT_ID or STEMSET_S3_ENDPOINT)",
        ),
        (
            {
                "GPU_WORKER_URL": "http://127.0.0.1:9",
                **NO_BUCKET_THERE,
                "STEMSET_WORKER_LINKS": "yes",
            },
            2,
            "config_invalid",
            "STEMSET_WORKER_LINKS",
        ),
    ],
)
def test_process_that_cannot_be_remote_says_what_to_do(
    stemset: Stemset, environment: dict[str, str], code: int, error: str, says: str
) -> None:
    ended = stemset("process", "far", env=environment)

    assert ended.code == code
    assert f"[{error}]" in ended.err
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_process_without_the_source_folder_asks_for_the_drive(
    stemset: Stemset, folder: Path
) -> None:
    ended = stemset("process", "h4n", env={"RECORDINGS": str(folder / "sdcard")})

    assert ended.code == 2
    assert "[source_folder_missing]" in ended.err
    assert "mounted" in ended.err


def test_process_without_a_variable_names_it(stemset: Stemset, folder: Path) -> None:
    (folder / ".env").unlink()

    ended = stemset("process", "h4n")

    assert ended.code == 2
    assert "RECORDINGS" in ended.err
    assert "[variable_missing]" in ended.err


def test_process_without_a_configuration_has_a_default_profile(
    stemset: Stemset, take: Path
) -> None:
    ended = stemset("process", "default")

    assert ended.code == 0, ended.err
    assert len(list((take.parent / "media" / "default").iterdir())) == 1


def test_process_of_an_unknown_profile_lists_the_known_ones(stemset: Stemset, folder: Path) -> None:
    ended = stemset("process", "zoom", "--config", folder / "config.yaml")

    assert ended.code == 2
    assert "h4n, far" in ended.err
