"""What a machine that really goes dark leaves: what was answered is on its disk."""

import hashlib
import os
import random
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from dark_disk import DarkDisk, dark_disk
from numpy.typing import NDArray
from program import write_take
from running_parts import Part, clean_environment
from service_deployment import ServiceDeployment
from short_takes import Takes

from stemset.pipeline.output import read_metadata
from stemset.pipeline.verify import verify_output
from stemset.postgres._folders import write_file
from stemset.postgres._place import SYSTEM_FOLDER, find_place
from stemset.postgres._postmaster import find_postmaster

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("STEMSET_TEST_SEED", "16"))
CUTS_AT_ANY_MOMENT = 2
LATEST_S = 3.0
RECORDINGS = 3
GONE_WITHIN_S = 10.0


@dataclass
class Promises:
    """What was answered before the power went.

    Attributes:
        uploads: Names of recordings that were taken, and their hashes.
        jobs: Names of recordings whose job was accepted, and that job.
    """

    uploads: dict[str, str] = field(default_factory=dict[str, str])
    jobs: dict[str, str] = field(default_factory=dict[str, str])


class Machine:
    """A service with all that it keeps on a disk that goes dark."""

    def __init__(self, folder: Path) -> None:
        """Make it; nothing runs yet. Skips by name where there can be no such disk."""
        folder.mkdir()
        self.disk = DarkDisk(folder / "data")
        self.deployment = ServiceDeployment(folder)
        self._note_the_database()

    def cut(self, serving: Part) -> None:
        """The power goes, and comes back."""
        processes = [*serving.tree(), *self._database()]
        self.disk.cut()
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        serving.process.wait()
        _, alive = psutil.wait_procs(processes, GONE_WITHIN_S)
        assert alive == []
        self.disk.restore()

    def close(self) -> None:
        """End all of it."""
        database = self._database()
        self.deployment.close()
        for each in database:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(database, GONE_WITHIN_S)
        self.disk.close()

    def _note_the_database(self) -> None:
        """Have the database lie on this disk: as root it has its place elsewhere."""
        name = f"dark-{secrets.token_hex(4)}"
        notes = self.deployment.data / "postgres"
        notes.mkdir(mode=0o700)
        write_file(notes / "place", name, mode=0o600)
        self.disk.show("database", SYSTEM_FOLDER / name)

    def _database(self) -> list[psutil.Process]:
        place = find_place(self.deployment.data, SYSTEM_FOLDER)
        server = find_postmaster(place) if place else None
        if server is None:
            return []
        root = psutil.Process(server.pid)
        return [root, *root.children(recursive=True)]


@pytest.fixture
def machine(tmp_path: Path, example: Path) -> Iterator[Machine]:
    del example
    made = Machine(tmp_path / "machine")
    yield made
    made.close()


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=SEED)


def upload(machine: Machine, promises: Promises, name: str, wav: bytes) -> bool:
    """Upload a recording; whether it was taken."""
    form = {"files": {"file": (name, wav, "audio/wav")}, "data": {"profile_name": "here"}}
    with suppress(httpx.TransportError):
        if machine.deployment.call("POST", "/api/upload", **form).is_success:
            promises.uploads[name] = hashlib.sha256(wav).hexdigest()
            return True
    return False


def order(machine: Machine, promises: Promises, name: str) -> bool:
    """Have it separated; whether that was accepted."""
    body = {"profile_name": "here", "filename": name}
    with suppress(httpx.TransportError):
        answer = machine.deployment.call("POST", "/api/process", json=body)
        if answer.is_success:
            promises.jobs[name] = answer.json()["job_id"]
            return True
    return False


def sha256_stored(machine: Machine, name: str) -> str:
    """Hash of what lies in the store as a recording."""
    rows = machine.deployment.books.rows("SELECT filename, input_key FROM recordings")
    (key,) = [row["input_key"] for row in rows if row["filename"] == name]
    return hashlib.sha256(machine.deployment.store.read(key, limit=1 << 30)).hexdigest()


def assert_kept(machine: Machine, promises: Promises) -> None:
    """What was promised is there, and all that was accepted comes to its end."""
    deployment = machine.deployment
    for name, sha256 in promises.uploads.items():
        assert sha256_stored(machine, name) == sha256, name
        job_id = deployment.process(name)
        assert promises.jobs.get(name, job_id) == job_id
    accepted = [row["id"] for row in deployment.books.rows("SELECT id FROM jobs")]
    assert set(promises.jobs.values()) <= set(accepted)
    deployment.assert_complete(*accepted)


def test_power_cut_right_after_an_answer_takes_nothing_back(machine: Machine, takes: Takes) -> None:
    deployment, promises = machine.deployment, Promises()
    long = takes.wav(60)
    announced = {"filename": "long.wav", "size_bytes": len(long), "profile_name": "here"}

    serving = deployment.serve()
    begun = deployment.ask("POST", "/api/uploads", json={**announced, "mark": "m"}).json()
    parts = f"/api/uploads/{begun['upload_id']}"
    first, second = long[: begun["part_bytes"]], long[begun["part_bytes"] :]
    assert upload(machine, promises, "take.wav", takes.wav())
    assert deployment.call("PUT", f"{parts}/parts/1", content=first).is_success
    machine.cut(serving)

    serving = deployment.serve()
    assert deployment.call("GET", parts).json()["received"] == [1]
    assert deployment.call("PUT", f"{parts}/parts/2", content=second).is_success
    assert deployment.call("POST", f"{parts}/complete", json={}).is_success
    promises.uploads["long.wav"] = hashlib.sha256(long).hexdigest()
    assert order(machine, promises, "take.wav")
    machine.cut(serving)

    serving = deployment.serve()
    for name, sha256 in promises.uploads.items():
        assert sha256_stored(machine, name) == sha256, name
    (job_id,) = promises.jobs.values()
    deployment.wait_state(job_id, "complete")
    machine.cut(serving)

    serving = deployment.serve()
    assert deployment.status(job_id)["state"] == "complete"
    deployment.assert_well()
    assert deployment.books.outcomes(job_id)[-1:] == ["complete"]
    assert serving.terminate() == 0


def test_power_cut_at_any_moment_loses_nothing_that_was_answered(
    machine: Machine, takes: Takes
) -> None:
    sys.stderr.write(f"STEMSET_TEST_SEED={SEED}\n")
    moments = random.Random(SEED)  # noqa: S311 - nothing is secret here
    promises = Promises()

    def send(cut: int) -> None:
        for number in range(RECORDINGS):
            name = f"{cut}-{number}.wav"
            if not upload(machine, promises, name, takes.wav()):
                return
            order(machine, promises, name)

    for cut in range(CUTS_AT_ANY_MOMENT):
        serving = machine.deployment.serve()
        client = threading.Thread(target=send, args=[cut])
        client.start()
        time.sleep(moments.uniform(0, LATEST_S))
        answered = Promises(dict(promises.uploads), dict(promises.jobs))
        machine.cut(serving)
        client.join()
        promises = answered
    serving = machine.deployment.serve()

    assert_kept(machine, promises)
    assert serving.terminate() == 0


def test_power_cut_after_a_command_leaves_its_outputs_whole(
    tmp_path: Path, example: Path, song: NDArray[np.float32]
) -> None:
    del example
    with dark_disk(tmp_path / "disk") as disk:
        take = write_take(disk.folder / "take.wav", song[:, : 2 * 44_100])
        (disk.folder / "config.yaml").write_text(
            "profiles: [{name: here, source_folder: ., output: {format: flac}}]"
        )
        os.sync()
        command = [sys.executable, "-m", "stemset", "process", "here", take.name]
        subprocess.run(command, cwd=disk.folder, env=clean_environment(), check=True)
        disk.cut()
        disk.restore()

        (output,) = (disk.folder / "media" / "here").glob("take_*")
        metadata = read_metadata(output)
        left = {path.name: path.stat().st_size for path in output.iterdir()}
        assert metadata is not None, left
        assert sorted(metadata["stems"]) == ["accompaniment", "vocals"]
        assert verify_output(output, take).problems == ()
