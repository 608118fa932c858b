import asyncio
import time
from pathlib import Path

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from service_client import RunningService, running_service
from sqlalchemy import insert

from stemset import __version__
from stemset.api import metrics
from stemset.jobs import tables
from stemset.jobs.caller import Scope


def samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """All samples, by name and label values in the order of the labels' names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_livez_is_answered(client: httpx.Client, method: str):
    answer = client.request(method, "/livez")

    assert answer.status_code == 200
    assert answer.text == ('{"status":"alive"}' if method == "GET" else "")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_readyz_is_answered(client: httpx.Client, method: str):
    answer = client.request(method, "/readyz")

    assert answer.status_code == 200
    if method == "GET":
        assert answer.json() == {"status": "ready", "version": __version__, "database": "ok"}


def test_health_needs_no_token(guarded: RunningService):
    assert guarded.client.get("/livez").status_code == 200
    assert guarded.client.get("/readyz").status_code == 200


@pytest.fixture
def away(tmp_path: Path, database_conninfo: str):
    """A service whose database went away after it had started; it can come back."""
    with running_service(tmp_path, database_conninfo) as service:
        name = conninfo_to_dict(database_conninfo)["dbname"]
        admin = make_conninfo(database_conninfo, dbname="template1")
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            try:
                yield service
            finally:
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


@pytest.mark.alone
def test_readyz_without_database_says_when_to_ask_again(away: RunningService):
    begun = time.monotonic()
    answer = away.client.get("/readyz")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["error"]["code"] == "database_unavailable"
    assert answer.json()["error"]["retryable"] is True
    assert time.monotonic() - begun < 5
    assert away.client.get("/livez").status_code == 200


def test_metrics_without_database_are_those_of_the_process(away: RunningService):
    found = samples(away.client)

    assert found["stemset_database_up",] == 0
    assert ("stemset_jobs_accepted_total", "local") not in found


def test_metrics_count_the_ledgers_jobs(running: RunningService):
    async def fill(connection):
        recording = {"sha256": "a", "name": "n", "filename": "f", "bytes": 1, "owner": "local"}
        await connection.execute(
            insert(tables.recordings).values(**recording, is_proven=True, duration_s=60.0)
        )
        for number, state in enumerate(["queued", "complete", "complete", "error"]):
            job = dict.fromkeys(("filename", "input_key", "profile", "strategy_name"), "x")
            job |= {"fingerprint": "x", "queue": "local", "owner": "local", "state": state}
            await connection.execute(
                insert(tables.jobs).values(
                    **job,
                    id=str(number),
                    sha256="a",
                    output_name=str(number),
                    strategy={},
                    output={},
                )
            )
        await connection.execute(
            insert(tables.attempts).values(
                job_id="1", number=1, folder="f", runner="local", computing_s=7.5
            )
        )

    running.in_transaction(fill)

    found = samples(running.client)
    assert found["stemset_jobs", "local", "queued"] == 1
    assert found["stemset_jobs", "local", "complete"] == 2
    assert found["stemset_jobs", "worker", "complete"] == 0
    assert found["stemset_jobs_accepted_total", "local"] == 4
    assert found["stemset_jobs_ended_total", "complete", "local"] == 2
    assert found["stemset_jobs_ended_total", "error", "local"] == 1
    assert found["stemset_jobs_ended_total", "cancelled", "local"] == 0
    assert found["stemset_computing_seconds_total", "unknown", "x", "local"] == 7.5
    assert found["stemset_database_up",] == 1
    assert found["stemset_database_connections_limit",] == 10


def test_metrics_count_connections_in_use(running: RunningService):
    async def counted() -> float:
        async with running.service.database.transaction():
            found = await asyncio.to_thread(samples, running.client)
        return found["stemset_database_connections_used",]

    assert running.run(counted) == 1
    assert samples(running.client)["stemset_database_connections_used",] == 0


def test_metrics_count_calls_by_route_and_not_by_path(client: httpx.Client):
    key = ("stemset_http_requests_total", "GET", "/api/jobs/{job_id}", "404")
    before = samples(client).get(key, 0)
    for job_id in ("one", "two"):
        client.get(f"/api/jobs/{job_id}")
    client.request("PROPFIND", "/pot/of/coffee")

    found = samples(client)
    assert found[key] == before + 2
    assert found["stemset_http_requests_total", "other", "none", "404"] >= 1
    assert not [labels for labels in found if "one" in labels or "/pot/of/coffee" in labels]
    assert found["stemset_http_request_seconds_count", "GET", "/api/jobs/{job_id}"] >= 2


def test_metrics_show_what_routes_count(client: httpx.Client):
    with metrics.EVENT_CLIENTS.track_inprogress():
        assert samples(client)["stemset_event_clients",] == 1
    assert samples(client)["stemset_event_clients",] == 0
    assert samples(client)["stemset_uploads_in_flight",] == 0


def test_metrics_need_a_token_where_calls_do(guarded: RunningService):
    assert guarded.client.get("/metrics").status_code == 401
    with guarded.caller(guarded.make_token(Scope.READ)) as client:
        assert client.get("/metrics").status_code == 200


def test_metrics_are_read_with_the_token_that_is_made_for_it(
    tmp_path: Path, database_conninfo: str
):
    token = "of-whoever-watches-this"  # noqa: S105 - of this test
    environ = {"STEMSET_METRICS_TOKEN": token}
    with running_service(tmp_path, database_conninfo, is_open=False, environ=environ) as service:
        client = service.client
        given = {"authorization": f"Bearer {token}"}

        assert client.get("/metrics", headers=given).status_code == 200
        assert client.get("/metrics").status_code == 401
        wrong = {"authorization": f"Bearer {token}x"}
        assert client.get("/metrics", headers=wrong).status_code == 401
        assert client.get("/api/jobs", headers=given).status_code == 401


def test_metrics_tell_of_the_data_folders_disk(tmp_path: Path, database_conninfo: str):
    environ = {"STEMSET_DATA_DIR": str(tmp_path)}
    with running_service(tmp_path, database_conninfo, environ=environ) as service:
        found = samples(service.client)

    assert 0 < found["stemset_disk_free_bytes",] <= found["stemset_disk_size_bytes",]


def test_metrics_name_routes_as_the_document_does(client: httpx.Client):
    paths = client.get("/api/openapi.json").json()["paths"]
    before = samples(client)
    for path, methods in paths.items():
        if path != "/api/events":  # it does not end
            for method in methods:
                client.request(method, path.replace("{", "").replace("}", ""))

    after = samples(client)
    counted = {
        key[2]
        for key, count in after.items()
        if key[0] == "stemset_http_requests_total" and count > before.get(key, 0)
    }
    assert counted - {"none"} == paths.keys() - {"/api/events"}
