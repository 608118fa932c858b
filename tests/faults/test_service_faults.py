"""What becomes of jobs when the service is killed, at every moment: faults really made."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from running_parts import Part, assert_gone
from service_deployment import ServiceDeployment, service
from short_takes import Takes

from stemset.jobs.opening import open_conninfo
from stemset.postgres._place import SYSTEM_FOLDER, find_place
from stemset.postgres._postmaster import find_postmaster
from stemset.storage.keys import CLAIM

pytestmark = pytest.mark.slow

BEFORE_THE_ANSWER = ["api:accepted", "api:before-commit", "api:after-commit"]
AFTER_THE_ANSWER = [
    "api:dispatching",
    "process:ordered",
    "api:finalising",
    "api:published",
    "api:completed",
]


@pytest.fixture(scope="module")
def data_folder(
    tmp_path_factory: pytest.TempPathFactory, example: Path
) -> Iterator[ServiceDeployment]:
    """A data folder with an embedded database and a folder for a store, in which jobs pile up."""
    del example
    with service(tmp_path_factory.mktemp("embedded") / "service") as deployment:
        yield deployment


@pytest.fixture
def embedded(data_folder: ServiceDeployment) -> Iterator[ServiceDeployment]:
    """A service that does not run yet, and does not run afterwards."""
    yield data_folder
    for part in data_folder.parts:
        part.kill()


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song)


@pytest.mark.parametrize("place", BEFORE_THE_ANSWER)
def test_service_killed_before_it_answers_is_asked_again_and_the_job_is_done_once(
    embedded: ServiceDeployment, takes: Takes, tmp_path: Path, place: str
) -> None:
    crashing = {"STEMSET_CRASH_AT": f"{place}@{tmp_path / 'crashed'}"}
    name = f"{place[4:]}.wav"
    killed = embedded.serve(**crashing)
    embedded.upload(takes.wav(), name)
    body = {"profile_name": "here", "filename": name}
    with pytest.raises(httpx.TransportError):
        embedded.call("POST", "/api/process", json=body)
    killed.wait_crashed()

    again = embedded.serve(**crashing)
    stood = [row for row in embedded.books.rows("SELECT * FROM jobs") if row["filename"] == name]
    answers = [embedded.call("POST", "/api/process", json=body).json() for _ in range(2)]

    assert len(stood) == (place == "api:after-commit")
    assert [each["created"] for each in answers] == [not stood, False]
    assert len({each["job_id"] for each in answers} | {row["id"] for row in stood}) == 1
    embedded.assert_complete(answers[0]["job_id"])
    assert again.terminate() == 0


@pytest.mark.parametrize("place", AFTER_THE_ANSWER)
def test_service_killed_while_it_is_at_a_job_ends_it_once_when_it_is_back(
    embedded: ServiceDeployment, takes: Takes, tmp_path: Path, place: str
) -> None:
    crashing = {"STEMSET_CRASH_AT": f"{place}@{tmp_path / 'crashed'}"}
    # So long that even a busy machine is at it when the service takes the first report.
    take = takes.wav(120 if place == "process:ordered" else 2)
    name = place.replace(":", "-")
    killed = embedded.serve(**crashing)
    killed.wait_line("Computing process ready")
    processes = killed.tree()
    job_id = embedded.separate(take, f"{name}.wav")
    killed.wait_crashed()
    assert_gone(processes, 10)
    # What computes ends with the service: before or after it had claimed the attempt.
    was_begun = place == "process:ordered" and has_claim(embedded, name)

    again = embedded.serve(**crashing)

    embedded.assert_complete(job_id)
    expected = ["passed_over", "complete"] if was_begun else ["complete"]
    assert embedded.books.outcomes(job_id) == expected
    assert again.terminate() == 0


def test_stem_that_is_replaced_before_its_job_is_complete_is_made_again(
    embedded: ServiceDeployment, takes: Takes, tmp_path: Path
) -> None:
    crashing = {"STEMSET_CRASH_AT": f"api:finalising@{tmp_path / 'crashed'}"}
    killed = embedded.serve(**crashing)
    job_id = embedded.separate(takes.wav(), "replaced.wav")
    killed.wait_crashed()
    (stem,) = [
        info.key
        for info in embedded.store.list_below("outputs/here")
        if "/replaced_" in info.key and info.key.endswith("/vocals.flac")
    ]
    embedded.store.write(stem, bytes(embedded.store.head(stem).bytes))

    again = embedded.serve(**crashing)

    embedded.assert_complete(job_id)
    first, second = embedded.books.attempts(job_id)
    assert (first["error"]["code"], second["outcome"]) == ("object_corrupt", "complete")
    assert embedded.books.problems() == []
    assert again.terminate() == 0


def test_power_cut_in_the_middle_of_a_job_loses_nothing(
    embedded: ServiceDeployment, takes: Takes
) -> None:
    killed = embedded.serve()
    under_way = embedded.separate(takes.wav(60), "power-1.wav")
    waiting = embedded.separate(takes.wav(), "power-2.wav")
    embedded.wait_state(under_way, "processing", phase="separating")

    cut_power(embedded, killed)
    again = embedded.serve()

    embedded.assert_complete(under_way, waiting)
    assert embedded.books.outcomes(under_way) == ["passed_over", "complete"]
    assert again.terminate() == 0


def test_database_that_dies_below_the_service_is_started_again_by_it(
    embedded: ServiceDeployment, takes: Takes
) -> None:
    serving = embedded.serve()
    job_id = embedded.separate(takes.wav(60), "database.wav")
    embedded.wait_state(job_id, "processing", phase="separating")

    for pid in database_of(embedded):
        os.kill(pid, signal.SIGKILL)
    later = embedded.separate(takes.wav(), "later.wav")

    embedded.assert_complete(job_id, later)
    assert embedded.books.outcomes(job_id) == ["complete"]
    assert serving.lines("The database is there again")
    assert serving.terminate() == 0


def test_second_service_on_a_data_folder_is_refused_and_told_of_the_first(
    embedded: ServiceDeployment,
) -> None:
    first = embedded.serve()
    second = embedded.start("serve", "--port", "0")

    assert second.process.wait(30) not in {0, None}
    said = second.log.read_text("utf-8")
    assert f"process {first.process.pid} (stemset serve on port {embedded.port})" in said
    assert embedded.call("GET", "/readyz").status_code == httpx.codes.OK
    assert first.terminate() == 0


def test_service_that_is_started_while_a_command_has_the_database_waits_for_it(
    embedded: ServiceDeployment,
) -> None:
    with open_conninfo(embedded.data, None):
        serving = embedded.start("serve", "--port", str(embedded.port))
        with pytest.raises(subprocess.TimeoutExpired):
            serving.process.wait(3)

    serving.wait_line("Service ready")
    assert serving.terminate() == 0


def has_claim(deployment: ServiceDeployment, name: str) -> bool:
    """Whether an attempt at a recording of this name was begun."""
    keys = [info.key for info in deployment.store.list_below("outputs")]
    return any(f"/{name}_" in key and key.endswith(f"/{CLAIM}") for key in keys)


def database_of(deployment: ServiceDeployment) -> list[int]:
    """The embedded server's processes, the first one first."""
    place = find_place(deployment.data, SYSTEM_FOLDER)
    server = find_postmaster(place) if place else None
    assert server is not None
    root = psutil.Process(server.pid)
    return [root.pid, *(each.pid for each in root.children(recursive=True))]


def cut_power(deployment: ServiceDeployment, serving: Part) -> None:
    """kill -9 of the service with all that it started, at once."""
    processes = serving.tree()
    for pid in [*(each.pid for each in processes), *database_of(deployment)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    serving.process.wait()
    assert_gone(processes, 10)
