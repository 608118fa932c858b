import pytest
from fake_worker import FakeWorker, says, status
from remote_runs import DONE, Runners, refused, run

from stemset.errors import InvalidConfig, WorkerUnreachable
from stemset.orders.remote import RemoteRunner

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "",
        "worker.example",
        "ftp://worker.example",
        "http://",
        "http://h:port",
        "http://h/?a=b",
        "http://h/#a",
    ],
)
def test_url_that_is_none_is_refused_at_once(url: str):
    with pytest.raises(InvalidConfig, match="must begin with http:// or https://"):
        RemoteRunner(url, ())


async def test_url_password_is_used_and_in_no_message(worker: FakeWorker, runners: Runners):
    worker.ready = [status(403)]
    url = worker.url.replace("http://", "http://band:geheim@")

    error = await refused(runners(url))

    assert worker.url in str(error)
    assert "geheim" not in str(error)
    assert worker.calls[0].headers["authorization"].startswith("Basic ")


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Where a test names a proxy; the machine's own exceptions are gone."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_loopback_never_goes_through_a_proxy(
    worker: FakeWorker, runners: Runners, proxied: pytest.MonkeyPatch, name: str, host: str
):
    proxied.setenv(name, "http://127.0.0.1:9")
    worker.process = [says(DONE)]

    assert await run(runners(worker.url.replace("127.0.0.1", host))) == [DONE]


@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]"])
async def test_any_loopback_address_never_goes_through_a_proxy(
    worker: FakeWorker, runners: Runners, proxied: pytest.MonkeyPatch, host: str
):
    proxied.setenv("HTTP_PROXY", worker.url)
    url = worker.url.replace("127.0.0.1", host)  # nobody listens there

    assert isinstance(await refused(runners(url, patience_s=0.3)), WorkerUnreachable)
    assert worker.calls == []


async def test_other_hosts_go_through_the_proxy(
    worker: FakeWorker, runners: Runners, proxied: pytest.MonkeyPatch
):
    proxied.setenv("HTTP_PROXY", worker.url)

    assert await run(runners("http://worker.example"))
    assert worker.lines("GET") == ["GET http://worker.example/readyz"]
