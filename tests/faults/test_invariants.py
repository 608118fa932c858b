"""What checks the books sees what is wrong with them."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from service_deployment import ServiceDeployment, service
from short_takes import Takes

from stemset.storage.keys import AttemptFolder
from stemset.storage.service_store import service_store

pytestmark = pytest.mark.slow

_EXPIRED = """
    UPDATE jobs SET ended_at = now() - interval '14 days', started_at = NULL, is_current = false;
    INSERT INTO doomed (key, subject)
        SELECT concat_ws('/', 'outputs', profile, output_name, attempt, ''), 'x' FROM jobs
        WHERE state = 'complete';
    INSERT INTO doomed (key, subject)
        SELECT concat_ws('/', 'outputs', profile, output_name, 'metadata.json'), 'x' FROM jobs
        WHERE state = 'complete';
    DELETE FROM outputs;
"""


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, example: Path, song: NDArray[np.float32]
) -> Iterator[ServiceDeployment]:
    """A service with one job that is complete."""
    del example
    with service(tmp_path_factory.mktemp("books") / "service") as made:
        made.serve("--no-compute")
        waiting = made.separate(Takes(song, seed=7).wav(), "waiting.wav")
        made.call("POST", f"/api/jobs/{waiting}/cancel")
        made.parts[0].terminate()
        made.serve()
        made.assert_complete(made.separate(Takes(song, seed=6).wav(), "one.wav"))
        yield made


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        ("UPDATE jobs SET ended_at = NULL, state = 'queued' WHERE state = 'cancelled'", "I1"),
        ("UPDATE jobs SET ended_at = NULL, state = 'queued' WHERE state = 'cancelled'", "I2"),
        (
            "UPDATE jobs SET started_at = ended_at - interval '31 min' WHERE state = 'complete'",
            "I1",
        ),
        ("DELETE FROM usage", "I3"),
        (
            (
                "INSERT INTO usage (job_id, owner, profile, computing_s, attempts)"
                " SELECT id, owner, profile, 1, 1 FROM jobs WHERE state = 'cancelled'"
            ),
            "I3",
        ),
        ("UPDATE jobs SET stems = '[\"x\"]' WHERE state = 'complete'", "I4"),
        (
            (
                "INSERT INTO attempts (job_id, number, folder, runner)"
                " SELECT id, 9, 'x', 'local' FROM jobs WHERE state = 'complete'"
            ),
            "I6",
        ),
        (
            (
                "INSERT INTO attempts (job_id, number, folder, runner, outcome, ended_at)"
                " SELECT id, n, 'x', 'local', 'failed', now() FROM jobs, generate_series(10, 13) n"
                " WHERE state = 'complete'"
            ),
            "I6",
        ),
        (
            (
                "INSERT INTO attempts"
                " (job_id, number, folder, runner, outcome, ended_at, computing_s)"
                " SELECT id, 9, 'x', 'local', 'failed', now(), 301 FROM jobs"
                " WHERE state = 'complete'"
            ),
            "I6",
        ),
        (
            (
                "UPDATE jobs SET ended_at = now() - interval '3 days', started_at = NULL;"
                " UPDATE outputs SET job_id = NULL, metadata = '{}'"
            ),
            "I5",
        ),
        ("INSERT INTO doomed VALUES ('inputs/here/x', 'x', now() - interval '3 days')", "I5"),
        (
            (
                "INSERT INTO uploads (id, owner, filename, profile, method, state, touched_at)"
                " VALUES ('x', 'x', 'x', 'here', 'whole', 'receiving', now() - interval '3 days')"
            ),
            "I5",
        ),
    ],
)
def test_what_is_wrong_in_the_ledger_is_seen(
    deployment: ServiceDeployment, wrong: str, seen: str
) -> None:
    books = deployment.books
    with psycopg.connect(books.conninfo) as connection:
        connection.execute(wrong.encode())
        changed = [problem[:2] for problem in books.problems(connection=connection)]
        connection.rollback()

    assert seen in changed
    assert books.problems() == []


@pytest.mark.parametrize(("due", "seen"), [("1 day", []), ("-3 days", ["I5", "I5"])])
def test_output_past_its_age_is_wrong_once_its_grace_is_over(
    deployment: ServiceDeployment, due: str, seen: list[str]
) -> None:
    with psycopg.connect(deployment.books.conninfo) as connection:
        connection.execute(_EXPIRED.encode())
        connection.execute("UPDATE doomed SET created_at = now() + %s::interval", [due])
        problems = deployment.books.problems(connection=connection)
        connection.rollback()

    assert [problem[:2] for problem in problems] == seen


def test_what_is_wrong_in_the_store_is_seen(deployment: ServiceDeployment) -> None:
    (job,) = deployment.books.rows("SELECT * FROM jobs WHERE state = 'complete'")
    stem = AttemptFolder(job["profile"], job["output_name"], job["attempt"]).key("vocals.flac")
    sound = deployment.store.read(stem)

    deployment.store.write(stem, bytes(len(sound)))
    deployment.store.write(f"outputs/{job['profile']}/{job['output_name']}/stray-1/x", b"x")
    problems = deployment.books.problems()
    deployment.store.write(stem, sound)
    deployment.store.delete([f"outputs/{job['profile']}/{job['output_name']}/stray-1/x"])

    assert [problem[:2] for problem in problems] == ["I4", "I5"]
    assert deployment.books.problems() == []


@pytest.mark.parametrize("key", ["inputs/here/stray.wav", "claims/here/stray.wav"])
def test_recording_that_is_nobodys_is_seen_once_it_is_old(
    deployment: ServiceDeployment, key: str
) -> None:
    stray = Path(service_store(None, deployment.data).bucket) / key
    deployment.store.write(key, b"x")
    young = deployment.books.problems()
    os.utime(stray, (0, 0))
    old = deployment.books.problems()
    deployment.store.delete([key])

    assert (young, old) == ([], [f"I5 nobody's: {key}"])
