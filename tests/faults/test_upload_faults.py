"""What becomes of uploads when the service is killed between the store and the ledger."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from service_deployment import HERE, ServiceDeployment, service
from short_takes import Takes

from stemset.storage.service_store import service_store

pytestmark = pytest.mark.slow

PLACES = ["upload:named", "upload:stored"]
"""The name is taken; the bytes lie under it. The ledger does not speak of the recording yet."""

_LATER = "UPDATE uploads SET touched_at = touched_at - interval '3 days' WHERE completed_at IS NULL"


@pytest.fixture(scope="module")
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song, seed=31)


@pytest.fixture
def deployment(tmp_path: Path, database_conninfo: str) -> Iterator[ServiceDeployment]:
    with service(tmp_path / "service", database_conninfo) as made:
        yield made


@pytest.mark.parametrize("place", PLACES)
def test_upload_whose_service_is_killed_is_collected_a_day_later(
    deployment: ServiceDeployment, takes: Takes, place: str
) -> None:
    kill_at(deployment, place, takes.wav())
    left = keys(deployment)
    young = deployment.books.problems()
    kept = clean(deployment)

    let_days_pass(deployment)
    old = deployment.books.problems()
    removed = clean(deployment)

    assert left == ["claims/here/take.wav", "inputs/here/take.wav"][: 1 + PLACES.index(place)]
    assert (young, kept) == ([], left)
    assert [problem[:2] for problem in old] == ["I5"]
    assert removed == []
    deployment.assert_well()


@pytest.mark.parametrize("place", PLACES)
def test_upload_whose_service_is_killed_can_come_again_and_then_stays(
    deployment: ServiceDeployment, takes: Takes, place: str
) -> None:
    wav = takes.wav()
    kill_at(deployment, place, wav)
    left = keys(deployment)

    again = deployment.serve("--no-compute")
    kept = deployment.upload(wav, "take.wav")
    assert again.terminate() == 0
    let_days_pass(deployment)
    stays = clean(deployment)

    assert len(left) == 1 + PLACES.index(place)
    assert stays == ["claims/here/take.wav", "inputs/here/take.wav"]
    assert deployment.store.read("inputs/here/take.wav", limit=1 << 30) == wav
    (row,) = deployment.books.rows("SELECT * FROM recordings")
    assert (row["sha256"], row["input_key"]) == (kept["sha256"], "inputs/here/take.wav")
    deployment.assert_well()


def test_upload_in_parts_whose_service_is_killed_as_it_ends_goes_when_it_is_given_up(
    deployment: ServiceDeployment, takes: Takes
) -> None:
    wav = takes.wav()
    crashing = {"STEMSET_CRASH_AT": f"upload:stored@{deployment.folder / 'crashed'}"}
    killed = deployment.serve("--no-compute", **crashing)
    said = {"filename": "take.wav", "size_bytes": len(wav), "mark": "m", "profile_name": HERE}
    path = f"/api/uploads/{answer_of(deployment, 'POST', '/api/uploads', json=said)['upload_id']}"
    assert deployment.call("PUT", f"{path}/parts/1", content=wav).is_success
    with pytest.raises(httpx.TransportError):
        deployment.call("POST", f"{path}/complete", json={})
    killed.wait_crashed()
    left = keys(deployment)

    deployment.serve("--no-compute")
    (still_open,) = answer_of(deployment, "GET", "/api/uploads")
    given_up = deployment.call("DELETE", path)

    assert left == ["claims/here/take.wav", "inputs/here/take.wav"]
    assert still_open["received"] == [1]
    assert given_up.is_success
    assert keys(deployment) == []
    deployment.assert_well()


def kill_at(deployment: ServiceDeployment, place: str, wav: bytes) -> None:
    """Upload a file to a service that is killed on the way."""
    killed = deployment.serve("--no-compute", STEMSET_CRASH_AT=place)
    form: dict[str, Any] = {
        "files": {"file": ("take.wav", wav, "audio/wav")},
        "data": {"profile_name": HERE},
    }
    with pytest.raises(httpx.TransportError):
        deployment.call("POST", "/api/upload", **form)
    killed.wait_crashed()


def answer_of(deployment: ServiceDeployment, method: str, path: str, **more: Any) -> Any:
    answer = deployment.call(method, path, **more)
    assert answer.is_success, answer.text
    return answer.json()


def keys(deployment: ServiceDeployment) -> list[str]:
    """Everything in the store."""
    return sorted(
        info.key for place in ("claims", "inputs") for info in deployment.store.list_below(place)
    )


def let_days_pass(deployment: ServiceDeployment) -> None:
    """Make three days older what the ledger and the store have of uploads."""
    with psycopg.connect(deployment.books.conninfo) as connection:
        connection.execute(_LATER)
    store = Path(service_store(None, deployment.data).bucket)
    for key in keys(deployment):
        written_s = (store / key).stat().st_mtime - 3 * 86_400
        os.utime(store / key, (written_s, written_s))


def clean(deployment: ServiceDeployment) -> list[str]:
    """Have removed what need not be kept; everything that is in the store then."""
    cleaning = deployment.start("clean", "--remove")
    assert cleaning.process.wait(60) == 0, cleaning.log.read_text("utf-8")
    return keys(deployment)
