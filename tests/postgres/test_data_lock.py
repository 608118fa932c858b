import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from postgres_launcher import MakeHome

from stemset.errors import DataFolderInUse, OutputUnwritable
from stemset.postgres.cluster import hold


def test_data_folder_that_is_held_names_its_holder(make_home: MakeHome):
    home = make_home()
    with home.launcher() as first, home.launcher() as second:
        first.call("hold", "stemset serve on 127.0.0.1:8080")

        with pytest.raises(DataFolderInUse) as refused:
            second.call("hold", "another")

        pid = holder_pid(home.data)
        since = re.search(r" since (\S+)\. ", str(refused.value))
        assert f"process {pid} (stemset serve on 127.0.0.1:8080)" in str(refused.value)
        assert since is not None
        age = datetime.now(UTC) - datetime.fromisoformat(since[1])
        assert timedelta(seconds=-1) <= age < timedelta(minutes=1)


def test_data_folder_of_a_killed_holder_is_free(make_home: MakeHome):
    home = make_home()
    with home.launcher() as first, home.launcher() as second:
        first.call("hold", "first")
        first.kill()

        second.call("hold", "second")


def test_data_folder_of_a_killed_holder_is_free_though_its_server_lives(make_home: MakeHome):
    home = make_home()
    with home.launcher() as first, home.launcher() as second:
        first.call("hold", "first")
        first.call("start")
        first.kill_with_its_children()
        assert home.postmaster().is_running()

        second.call("hold", "second")


def test_data_folder_is_free_after_its_block(tmp_path: Path):
    with hold(tmp_path / "new", "first"):
        pass

    with hold(tmp_path / "new", "second"):
        assert holder_pid(tmp_path / "new") == os.getpid()


def test_data_folder_that_is_held_in_this_process_is_refused_as_well(tmp_path: Path):
    with hold(tmp_path, "first"), pytest.raises(DataFolderInUse), hold(tmp_path, "second"):
        pass


def test_data_folder_that_is_made_is_private(tmp_path: Path):
    with hold(tmp_path / "new", "first"):
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_data_folder_where_there_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "taken").touch()

    with pytest.raises(OutputUnwritable, match="taken"), hold(tmp_path / "taken", "first"):
        pass


def holder_pid(data: Path) -> int:
    return json.loads((data / "stemset.lock").read_text())["pid"]
