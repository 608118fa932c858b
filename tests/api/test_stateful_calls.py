"""Calls that follow from each other, in any order, on a service that does what it is asked."""

import os
import random
import time
from pathlib import Path

import httpx
import pytest
from invariants import Books
from service_program import served
from walked_calls import PROFILE, SEED, Calls

from stemset.storage.service_store import service_store
from stemset.storage.store import open_store

WALKS = int(os.environ.get("STEMSET_TEST_EXAMPLES", "4"))
STEPS = 25
ENDED_WITHIN_S = 60.0
CONFIG = f"profiles: [{{name: {PROFILE}, source_folder: recordings}}]\n"
# What must go well, for the rest to mean anything: uploads in one piece and in parts, and all that
# can be done with what is made of them.
WAYS = (
    (
        *("upload", "process_recording", "get_job", "get_output", "create_export", "get_export"),
        *("download_export", "download_file", "download_zip", "get_output_waveform"),
        *("delete_export", "delete_output", "get_recording", "delete_recording"),
    ),
    (
        *("begin_upload", "put_upload_part", "complete_upload", "process_recording", "get_job"),
        *("list_outputs", "list_costs"),
    ),
)


@pytest.mark.slow
def test_calls_that_follow_from_each_other_are_answered_as_described(
    tmp_path: Path, database_conninfo: str, example: Path
):
    del example
    (tmp_path / "config.yaml").write_text(CONFIG)
    with served(tmp_path, {"DATABASE_URL": database_conninfo}) as url:
        calls = Calls(url)
        for way in WAYS:
            calls.go(random.Random(SEED), way)  # noqa: S311 - no secret
        for number in range(WALKS):
            print(f"STEMSET_TEST_SEED={SEED}, walk {number}")  # noqa: T201 - shown if it fails
            calls.walk(random.Random(f"{SEED} {number}"), STEPS)  # noqa: S311 - no secret
        books = Books(database_conninfo, open_store(service_store(None, tmp_path / "data")))
        until_s = time.monotonic() + ENDED_WITHIN_S
        while (problems := books.problems()) and time.monotonic() < until_s:
            time.sleep(0.2)
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK

    assert problems == []
    assert all(status < 500 for _, status in calls.answered)
