"""What becomes of calls and jobs when the database goes away, or a disk is full: really made."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest
from database_server import DatabaseServer
from numpy.typing import NDArray
from postgres_launcher import new_folder
from running_parts import wait_for
from service_deployment import ServiceDeployment, service
from short_takes import Takes
from small_disks import mounted

from stemset.jobs.queue import SILENT_S
from stemset.jobs.recovery import EVERY_S

pytestmark = pytest.mark.slow

ANSWERS_WITHIN_S = 25.0
STEADY_S = 15.0
DISK_MB = 160
DISK = f"{DISK_MB}m"


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32], example: object) -> Takes:
    del example  # its model is what is needed
    return Takes(song, seed=2)


@pytest.fixture(scope="module")
def server() -> Iterator[DatabaseServer]:
    made = DatabaseServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def deployment(server: DatabaseServer, tmp_path: Path) -> Iterator[ServiceDeployment]:
    """A deployment on a database server that may be killed."""
    server.start()
    with service(tmp_path / "service", server.new_database()) as made:
        yield made
    server.thaw()


def everyday_calls(deployment: ServiceDeployment, job_id: str) -> list[httpx.Response]:
    """What pages and scripts ask, all at once; each is answered, whatever with."""
    body = {"profile_name": "here", "filename": "under-way.wav"}
    form = {"files": {"file": ("new.wav", Takes(np.ones((2, 99), np.float32)).wav(), "audio/wav")}}
    calls = [
        lambda: deployment.call("GET", f"/api/jobs/{job_id}/status"),
        lambda: deployment.call("GET", "/api/jobs"),
        lambda: deployment.call("POST", "/api/process", json=body),
        lambda: deployment.call("POST", f"/api/jobs/{job_id}/retry"),
        lambda: deployment.call("POST", "/api/upload", **form),
        lambda: deployment.call("GET", "/readyz"),
    ]
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(lambda call: call(), calls))


def assert_not_now(answers: list[httpx.Response]) -> None:
    for answer in answers:
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, (answer.url, answer.text)
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["code"] == "database_unavailable"
        assert answer.elapsed.total_seconds() < ANSWERS_WITHIN_S


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_database_that_goes_away_is_waited_for_by_jobs_and_said_to_callers(
    deployment: ServiceDeployment, server: DatabaseServer, takes: Takes, fault: str
) -> None:
    serving = deployment.serve()
    job_id = deployment.separate(takes.wav(60), "under-way.wav")
    deployment.wait_state(job_id, "processing", phase="separating")

    if fault == "kill":
        server.kill()
    else:
        server.freeze()
    went_s = time.monotonic()
    answers = everyday_calls(deployment, job_id)
    alive = deployment.call("GET", "/livez")
    time.sleep(max(0.0, went_s + 6 - time.monotonic()))  # an outage of 6 s at least
    if fault == "kill":
        server.start()
    else:
        server.thaw()
    later = deployment.separate(takes.wav(), "later.wav")

    assert_not_now(answers)
    assert alive.status_code == httpx.codes.OK
    deployment.assert_complete(job_id, later)
    assert deployment.books.outcomes(job_id) == ["complete"]
    assert deployment.call("GET", "/readyz").status_code == httpx.codes.OK
    assert serving.terminate() == 0


def test_database_killed_in_the_middle_of_a_commit_loses_no_job_and_doubles_none(
    deployment: ServiceDeployment, server: DatabaseServer, takes: Takes
) -> None:
    assert deployment.conninfo is not None
    deployment.serve()
    names = [f"commit-{number}.wav" for number in range(4)]
    for name in names:
        deployment.upload(takes.wav(), name)
    server.slow_commits(deployment.conninfo)
    server.kill()  # connections that are open would keep what they had
    server.start()

    with ThreadPoolExecutor(1) as pool:
        job_ids = []
        for name in names:
            asked = pool.submit(deployment.process, name)
            wait_for(lambda: is_committing(deployment.conninfo), "something is committed")
            server.kill()
            server.start()
            job_ids.append(asked.result())

    assert len(set(job_ids)) == len(names)
    deployment.assert_complete(*job_ids)


def is_committing(conninfo: str | None) -> bool:
    """Whether a transaction waits for its commit to be certain."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ILIKE 'commit%'"
    with suppress(psycopg.OperationalError), psycopg.connect(conninfo or "") as connection:
        row = connection.execute(query).fetchone()
        return row is not None and row[0] > 0
    return False


def test_database_that_was_away_for_long_costs_no_process_its_job(
    deployment: ServiceDeployment, server: DatabaseServer, takes: Takes
) -> None:
    deployment.serve("--no-compute")
    consumer = deployment.consume()
    job_id = deployment.separate(takes.wav(60), "under-way.wav")
    deployment.wait_state(job_id, "processing", phase="separating")
    (computing,) = consumer.computing()
    computing.send_signal(signal.SIGSTOP)  # the job lasts as long as is wanted

    server.kill()
    time.sleep(2 * SILENT_S)  # a minute
    server.start()
    wait_for(lambda: deployment.call("GET", "/readyz").is_success, "the database is back")
    time.sleep(STEADY_S + 2 * EVERY_S)
    computing.send_signal(signal.SIGCONT)

    deployment.assert_complete(job_id)
    assert deployment.books.outcomes(job_id) == ["complete"]
    assert len(consumer.lines("Processing with")) == 1


def test_disk_of_the_database_that_is_full_is_said_to_callers_and_jobs_go_on_when_it_is_not(
    full_disk_server: DatabaseServer, tmp_path: Path, takes: Takes
) -> None:
    conninfo = full_disk_server.new_database()
    with service(tmp_path / "service", conninfo) as deployment:
        deployment.serve()
        deployment.assert_complete(deployment.separate(takes.wav(), "before.wav"))
        fill_database(conninfo)
        accepted, refused = process_until_refused(deployment, "before.wav")

        assert refused.status_code == httpx.codes.INSUFFICIENT_STORAGE, refused.text
        assert refused.json()["error"]["code"] == "no_space"
        assert int(refused.headers["retry-after"]) > 0

        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute("DROP TABLE filler")
        later = deployment.process("before.wav", output_name="later")
        deployment.assert_complete(*accepted, later)


@pytest.fixture
def full_disk_server() -> Iterator[DatabaseServer]:
    """A server on a disk of its own, which can be filled."""
    folder = new_folder()
    with mounted(folder / "disk", DISK) as disk:
        place = disk / "server"
        place.mkdir(mode=0o755)
        server = DatabaseServer(place)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    (folder / "disk").rmdir()
    folder.rmdir()


def fill_database(conninfo: str) -> None:
    """Write rows until not even a small one has a place."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE filler (data text)")
        connection.execute("ALTER TABLE filler ALTER data SET STORAGE EXTERNAL")
        for rows in (500, 50, 1):
            for _ in range(DISK_MB):  # more than there is room for
                try:
                    connection.execute(
                        "INSERT INTO filler SELECT repeat('x', 8000) FROM generate_series(1, %s)",
                        [rows],
                    )
                except psycopg.errors.DiskFull:
                    break
            else:
                pytest.fail("the disk does not get full")


def process_until_refused(
    deployment: ServiceDeployment, name: str
) -> tuple[list[str], httpx.Response]:
    """Have a recording separated under ever new names. The jobs' ids, and the refusal."""
    accepted: list[str] = []
    for number in range(300):
        body = {"profile_name": "here", "filename": name, "output_name": f"n{number}"}
        answer = deployment.call("POST", "/api/process", json=body)
        if not answer.is_success:
            return accepted, answer
        accepted.append(answer.json()["job_id"])
    pytest.fail("nothing was refused on a full disk")


@pytest.mark.parametrize(("part", "size"), [("scratch", "4m"), ("store", "24m")])
def test_disk_that_is_full_holds_jobs_up_until_it_is_not(
    deployment: ServiceDeployment, takes: Takes, part: str, size: str
) -> None:
    deployment.data.mkdir(mode=0o700)
    with mounted(deployment.data / part, size) as disk:
        serving = deployment.serve()
        deployment.upload(takes.wav(8), "before.wav")
        filler = disk / "filler"
        fill(filler)

        form = {"files": {"file": ("full.wav", takes.wav(8), "audio/wav")}}
        refused = deployment.call("POST", "/api/upload", **form)
        job_id = deployment.process("before.wav")
        wait_for(
            lambda: "interrupted" in deployment.books.outcomes(job_id), "an attempt has no space"
        )
        filler.unlink()

        assert refused.status_code == httpx.codes.INSUFFICIENT_STORAGE
        assert refused.json()["error"]["code"] == "no_space"
        assert int(refused.headers["retry-after"]) > 0
        later = deployment.separate(takes.wav(), "later.wav")
        deployment.assert_complete(job_id, later)
        *before, last = deployment.books.attempts(job_id)
        assert {each["error"]["code"] for each in before} == {"no_space"}
        assert last["outcome"] == "complete"
        assert serving.terminate() == 0


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
