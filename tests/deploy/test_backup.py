"""Backups, taken and read back elsewhere with the guide's own commands: all is there again."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from password_database import PasswordDatabase
from postgres_launcher import new_folder
from running_parts import wait_for
from service_deployment import HERE, ServiceDeployment, service
from short_takes import Takes

from stemset.postgres._account import server_account
from stemset.postgres._binaries import Binaries, find_binaries
from stemset.postgres._place import SYSTEM_FOLDER, find_place
from stemset.postgres.cluster import running

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).parents[2] / "docs" / "deployment.md"
READING = "pg_restore --exit-on-error --single-transaction --no-owner --no-privileges"
WRITE = 'pg_dump --format=custom --no-owner --file=stemset.dump "$DATABASE_URL"'
READ = f'{READING} --dbname="$NEW_DATABASE_URL" stemset.dump'
SOCKET = "socket=$data/postgres/socket"
SOCKET_AS_ROOT = 'socket=/var/lib/stemset/$(cat "$data/postgres/place")/socket'
WRITE_EMBEDDED = (
    "pg_dump --format=custom --no-owner --file=stemset.dump"
    ' "host=$socket user=stemset dbname=stemset"'
)
NEW_EMBEDDED = 'createdb --host="$socket" --username=postgres --owner=stemset restored'
READ_EMBEDDED = f'{READING} --dbname="host=$socket user=stemset dbname=restored" stemset.dump'
SWAP_EMBEDDED = (
    "psql --quiet --command='DROP DATABASE stemset WITH (FORCE)'"
    " --command='ALTER DATABASE restored RENAME TO stemset'"
    ' "host=$socket user=postgres dbname=template1"'
)
PACK = 'tar --create --gzip --file=data.tgz --directory=/ "${data#/}"'
PACK_AS_ROOT = f'{PACK} "var/lib/stemset/$(cat "$data/postgres/place")"'
UNPACK = "tar --extract --gzip --preserve-permissions --file=data.tgz --directory=/"


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32], example: Path) -> Takes:
    del example  # its model is what is needed
    return Takes(song, seed=13)


@pytest.fixture
def external(tmp_path: Path, database: PasswordDatabase) -> Iterator[ServiceDeployment]:
    """On a server elsewhere, with a folder for recordings and stems; no service yet."""
    with service(tmp_path / "service", database.new("backed_up")) as made:
        yield made


@pytest.fixture
def embedded() -> Iterator[ServiceDeployment]:
    """With all that it has in its data folder, whose path is short; no service yet."""
    folder = new_folder()
    with service(folder / "service") as made:
        yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def binaries() -> Binaries:
    return find_binaries(server_account(None), SYSTEM_FOLDER)


def run(deployment: ServiceDeployment, binaries: Binaries, *commands: str, **given: str) -> None:
    """Run commands of the guide, which are there to the letter, in the deployment's folder."""
    guide = " ".join(GUIDE.read_text("utf-8").replace("\\\n", " ").split())
    assert [each for each in commands if each not in guide] == []
    path = os.pathsep.join([str(binaries.tree / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(commands)],
        cwd=deployment.folder,
        env=os.environ | given | {"PATH": path, "data": str(deployment.data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def of_this_user(command: str, as_root: str) -> str:
    return command if os.geteuid() else as_root


def lose_database(deployment: ServiceDeployment) -> None:
    place = find_place(deployment.data, SYSTEM_FOLDER)
    assert place is not None
    shutil.rmtree(place.folder)
    shutil.rmtree(deployment.data / "postgres", ignore_errors=True)


def library(deployment: ServiceDeployment) -> list[dict[str, Any]]:
    """What a page shows of it."""
    return deployment.ask("GET", "/api/recordings").json()["recordings"]


def heard(deployment: ServiceDeployment) -> set[str]:
    """Files of which there are stems."""
    return {each["filename"] for each in library(deployment) if each["outputs"]}


def assert_plays(deployment: ServiceDeployment, job_id: str) -> None:
    """The stems of a job that is complete are given out."""
    output = deployment.ask("GET", f"/api/outputs/{deployment.status(job_id)['output_id']}").json()
    for file in output["files"]:
        got = deployment.call("GET", file["url"])
        assert (got.status_code, len(got.content)) == (200, file["bytes"])


def test_database_that_is_read_back_elsewhere_has_jobs_library_and_tokens(
    external: ServiceDeployment, database: PasswordDatabase, binaries: Binaries, takes: Takes
):
    serving = external.serve()
    done = external.separate(takes.wav(), "done.wav")
    external.wait_ended(done)
    assert external.start("token", "create", "laptop").process.wait(30) == 0
    under_way = external.separate(takes.wav(60), "under way.wav")
    external.wait_state(under_way, "processing", phase="separating")
    run(external, binaries, WRITE, DATABASE_URL=str(external.conninfo))
    external.wait_ended(under_way)
    afterwards = external.separate(takes.wav(), "afterwards.wav")
    external.assert_complete(done, under_way, afterwards)
    before = library(external)
    assert serving.terminate() == 0

    external.conninfo = database.new("read_back")
    run(external, binaries, READ, NEW_DATABASE_URL=external.conninfo)
    external.serve()

    external.wait_ended(done, under_way)
    assert_plays(external, done)
    assert_plays(external, under_way)
    listed = external.start("token", "list")
    assert listed.process.wait(30) == 0
    assert "laptop" in listed.log.read_text()
    assert external.call("GET", f"/api/jobs/{afterwards}").status_code == 404
    # Its stems stand in the store, so it is back in the library all the same.
    names = {each["filename"] for each in before}
    assert len(names) == 3
    wait_for(lambda: heard(external) == names, "all is in the library")


def test_embedded_database_is_dumped_while_it_runs_and_read_into_a_new_one(
    embedded: ServiceDeployment, binaries: Binaries, takes: Takes
):
    serving = embedded.serve()
    done = embedded.separate(takes.wav(), "done.wav")
    embedded.assert_complete(done)
    before = library(embedded)
    run(embedded, binaries, of_this_user(SOCKET, SOCKET_AS_ROOT), WRITE_EMBEDDED)
    assert serving.terminate() == 0
    lose_database(embedded)

    serving = embedded.serve()
    assert embedded.call("GET", f"/api/jobs/{done}").status_code == 404
    conninfo = running(embedded.data)
    assert conninfo
    socket = of_this_user(SOCKET, SOCKET_AS_ROOT)
    # As the service may be in the way at any moment.
    with closing(psycopg.connect(conninfo)) as in_the_way:
        in_the_way.execute("SELECT FROM outputs")
        run(embedded, binaries, socket, NEW_EMBEDDED, READ_EMBEDDED, SWAP_EMBEDDED)
    assert serving.terminate() == 0
    embedded.serve()

    assert library(embedded) == before
    assert_plays(embedded, done)
    embedded.assert_complete(embedded.separate(takes.wav(), "afterwards.wav", HERE))


def test_data_folder_that_was_packed_while_nothing_ran_is_as_it_was(
    embedded: ServiceDeployment, binaries: Binaries, takes: Takes
):
    serving = embedded.serve()
    done = embedded.separate(takes.wav(), "done.wav")
    embedded.assert_complete(done)
    before = library(embedded)
    assert serving.terminate() == 0
    run(embedded, binaries, of_this_user(PACK, PACK_AS_ROOT))
    lose_database(embedded)
    shutil.rmtree(embedded.data)

    run(embedded, binaries, UNPACK)
    embedded.serve()

    assert library(embedded) == before
    assert_plays(embedded, done)
    embedded.assert_complete(embedded.separate(takes.wav(), "afterwards.wav", HERE))
