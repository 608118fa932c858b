"""What a consumer shows Prometheus, and who may read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from program import Program
from prometheus_client.parser import text_string_to_metric_families
from running_parts import Part, clean_environment

TOKEN = "of-whoever-watches-this"  # noqa: S105 - of these tests


@contextmanager
def consuming(folder: Path, conninfo: str, **more: str) -> Iterator[tuple[Part, str]]:
    """A consumer whose metrics are read; it, and where."""
    env = {**clean_environment(), "DATABASE_URL": conninfo, "STEMSET_DATA_DIR": str(folder), **more}
    part = Part(["consume", "--metrics-port", "0"], env, folder, folder / "consume.log")
    try:
        yield part, part.wait_line("Metrics are read at")["url"]
    finally:
        part.kill()


def read(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False)


def test_consumer_shows_what_it_counts_and_nothing_of_the_ledger(
    tmp_path: Path, database_conninfo: str, example: Path
):
    del example
    with consuming(tmp_path, database_conninfo) as (part, url):
        answer = read(url)
        elsewhere = read(url.replace("/metrics", "/"))
        of_a_page = read(url, host="evil.example")
        status = part.terminate()

    assert answer.status_code == 200
    shown = {each.name for each in text_string_to_metric_families(answer.text)}
    assert {"stemset_jobs_followed", "stemset_storage_calls", "stemset_build_info"} <= shown
    assert "stemset_jobs" not in shown
    assert (elsewhere.status_code, of_a_page.status_code) == (404, 403)
    assert status == 0


def test_consumers_metrics_need_the_token_where_there_is_one(
    tmp_path: Path, database_conninfo: str, example: Path
):
    del example
    with consuming(tmp_path, database_conninfo, STEMSET_METRICS_TOKEN=TOKEN) as (_, url):
        assert read(url).status_code == 401
        assert read(url, authorization=f"Bearer {TOKEN}x").status_code == 401
        assert read(url, authorization=f"Bearer {TOKEN}").status_code == 200


@pytest.mark.parametrize(
    ("environ", "host", "reason"),
    [
        ({}, "0.0.0.0", "could be read by other machines"),  # noqa: S104 - refused
        ({"STEMSET_METRICS_TOKEN": "x"}, "127.0.0.1", "at least 16"),
    ],
)
def test_consumers_metrics_are_not_open_to_other_machines(
    tmp_path: Path, environ: dict[str, str], host: str, reason: str
):
    program = Program(tmp_path)
    ended = program(
        *("consume", "--metrics-port", "0", "--metrics-host", host),
        env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", **environ},
    )

    assert ended.code == 2
    assert reason in ended.err
    assert "secret_missing" in ended.err
