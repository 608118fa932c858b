import httpx
import pytest
from prometheus_client import Metric
from service_client import RunningService

from stemset.api import metrics
from stemset.api._tokens import REMEMBERED_S, Tokens
from stemset.errors import Unauthenticated
from stemset.jobs import tokens
from stemset.jobs.caller import Scope

READS = "/api/jobs"
WRITES = "/api/process"
WANTED = {"profile_name": "h4n", "filename": "a.wav"}


def refused(code: str) -> float:
    """How many calls were refused so far."""
    families: list[Metric] = list(metrics.REFUSED.collect())
    samples = [s for s in families[0].samples if s.name.endswith("_total")]
    return sum(sample.value for sample in samples if sample.labels == {"code": code})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_caller_without_token_is_the_local_user_where_the_service_is_open(client: httpx.Client):
    assert client.get(READS).status_code == 200
    assert code(client.post(WRITES, json=WANTED)) == (404, "not_uploaded")


@pytest.mark.parametrize("header", [None, "Basic eDp5", "Bearer", "stm_0123456789ab_x", ""])
def test_caller_without_token_is_refused_elsewhere(guarded: RunningService, header: str | None):
    before = refused("unauthenticated")

    answer = guarded.client.get(READS, headers={} if header is None else {"authorization": header})

    assert code(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert refused("unauthenticated") == before + 1


@pytest.mark.parametrize("token", ["x", "stm_0123456789ab_" + "x" * 43, "stm_a_b", "ÿ", "x" * 8000])
def test_token_that_is_none_is_refused_open_or_not(running: RunningService, token: str):
    headers = [(b"authorization", b"Bearer " + token.encode("latin-1"))]

    answer = running.client.get(READS, headers=headers)

    assert code(answer) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("scope", "reads", "writes"),
    [(Scope.READ, 200, 403), (Scope.WRITE, 200, 404), (Scope.ADMIN, 200, 404)],
)
def test_token_may_do_what_its_scope_holds(
    guarded: RunningService, scope: Scope, reads: int, writes: int
):
    before = refused("forbidden")

    with guarded.caller(guarded.make_token(scope)) as client:
        assert client.get(READS).status_code == reads
        assert client.post(WRITES, json=WANTED).status_code == writes

    assert refused("forbidden") == before + (writes == 403)


def test_token_limits_its_holder_on_an_open_service_too(running: RunningService):
    with running.caller(running.make_token(Scope.READ)) as client:
        assert code(client.post(WRITES, json=WANTED)) == (403, "forbidden")


class Clock:
    """A clock that the test turns."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_token_that_was_revoked_is_refused_after_it_was_remembered(guarded: RunningService):
    text = guarded.make_token(Scope.READ, name="laptop")
    clock = Clock()
    known = Tokens(guarded.service.database, clock)

    first = guarded.run(lambda: known.caller(text))
    guarded.in_transaction(lambda connection: tokens.revoke(connection, "laptop"))
    clock.now_s += REMEMBERED_S - 0.01
    remembered = guarded.run(lambda: known.caller(text))
    clock.now_s += 0.02

    assert first.name == remembered.name == "laptop"
    with pytest.raises(Unauthenticated):
        guarded.run(lambda: known.caller(text))


def test_token_that_is_remembered_is_not_looked_up_again(guarded: RunningService):
    text = guarded.make_token(Scope.READ)
    known = Tokens(guarded.service.database, Clock())
    guarded.run(lambda: known.caller(text))

    async def without_database():
        async with guarded.service.database.transaction() as connection:
            await connection.exec_driver_sql("DELETE FROM tokens")
        return await known.caller(text)

    assert guarded.run(without_database).scope is Scope.READ


def test_tokens_that_are_unknown_are_not_remembered(guarded: RunningService):
    known = Tokens(guarded.service.database)
    for number in range(3):
        with pytest.raises(Unauthenticated):
            guarded.run(lambda number=number: known.caller(f"stm_{number}"))

    assert not known._known
