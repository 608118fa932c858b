"""Phones: who comes in by their door, how they are paired, and how that ends."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from cryptography import x509
from ledger_database import LedgerDatabases
from phone_client import COOKIE, LAN_ADDRESS, PhonesService, phones_service
from service_client import WITHIN_S

from stemset.api.pairing import CODE_VALID_S, WRONG_CODES_PER_MINUTE, Pairing
from stemset.errors import DatabaseUnavailable, PairingRefused, ServiceBusy
from stemset.jobs import tokens
from stemset.jobs.caller import Scope
from stemset.jobs.database import Database
from stemset.jobs.tokens import Token

READS = "/api/jobs"
WRITES = "/api/process"
WANTED = {"profile_name": "h4n", "filename": "a.wav"}
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15"


@pytest.fixture(scope="module")
def conninfo(ledger_databases: LedgerDatabases) -> Iterator[str]:
    made = ledger_databases.migrated()
    yield made
    ledger_databases.drop(made)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, conninfo: str) -> Iterator[PhonesService]:
    """A service with a door for phones; every test pairs phones of its own."""
    with phones_service(tmp_path_factory.mktemp("phones"), conninfo) as running:
        yield running


@pytest.fixture
def phone(service: PhonesService) -> Iterator[httpx.Client]:
    with service.phone() as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def in_transaction(conninfo: str, work: Any) -> Any:
    async def scenario() -> Any:
        database = Database(conninfo)
        try:
            async with database.transaction() as connection:
                return await work(connection)
        finally:
            await database.close()

    return asyncio.run(scenario())


def held_by(phone: httpx.Client) -> str:
    """The id of a phone's token."""
    return phone.cookies[COOKIE].split("_")[1]


def token_of(conninfo: str, token_id: str) -> Token:
    (found,) = [t for t in in_transaction(conninfo, tokens.list_tokens) if t.id == token_id]
    return found


def wait_hello(texts: Iterator[str]) -> None:
    assert any("event: hello" in text for text in texts)


def test_phone_that_is_not_paired_is_refused_in_words_for_people(phone: httpx.Client):
    answer = phone.get(READS)

    assert code_of(answer) == (401, "unauthenticated")
    assert "not paired" in answer.json()["error"]["detail"]


def test_local_user_stays_the_local_user_beside_the_phones_door(service: PhonesService):
    assert service.local.get(READS).status_code == 200
    assert service.local.get("/api/pairing").json() == {
        "by_phone": False,
        "caller": "local user",
        "address": service.address,
    }


def test_phone_that_is_paired_reads_and_writes(service: PhonesService, phone: httpx.Client):
    paired = service.pair(phone)

    assert phone.get(READS).status_code == 200
    assert code_of(phone.post(WRITES, json=WANTED)) == (404, "not_uploaded")
    assert phone.get("/api/pairing").json() == {
        "by_phone": True,
        "caller": paired["name"],
        "address": None,
    }


def test_phone_gets_a_token_like_any_other(
    service: PhonesService, phone: httpx.Client, conninfo: str
):
    paired = service.pair(phone)

    token = token_of(conninfo, held_by(phone))
    assert token.name == paired["name"]
    assert (token.scope, token.profiles, token.revoked_at) == (Scope.WRITE, None, None)
    assert token.expires_at
    assert round((token.expires_at - token.created_at) / timedelta(days=1)) == 90
    bearer = {"authorization": f"Bearer {phone.cookies[COOKIE]}"}
    with service.phone(headers=bearer) as other:
        assert other.get(READS).status_code == 200


def test_phones_of_one_day_have_names_of_their_own(service: PhonesService):
    names = []
    for _ in range(3):
        with service.phone(headers={"user-agent": IPHONE}) as phone:
            names.append(service.pair(phone)["name"])

    assert len(set(names)) == 3
    assert all(name.startswith("iPhone 20") for name in names)


def test_cookie_is_for_this_host_over_tls_and_for_no_script(
    service: PhonesService, phone: httpx.Client
):
    answer = phone.post("/api/pairing", json={"code": service.code()})

    cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert int(cookie["max-age"]) == 90 * 86_400
    assert cookie.value not in answer.text


def test_code_pairs_one_phone(service: PhonesService, phone: httpx.Client):
    code = service.code()
    assert phone.post("/api/pairing", json={"code": code}).status_code == 200

    with service.phone() as second:
        answer = second.post("/api/pairing", json={"code": code})

        assert code_of(answer) == (403, "pairing_refused")
        assert "was used already" in answer.json()["error"]["detail"]
        assert "set-cookie" not in answer.headers
        assert second.get(READS).status_code == 401


@pytest.mark.parametrize("code", ["x", "x" * 22, "ü" * 22, "\ud800"])
def test_code_that_was_never_made_is_refused(phone: httpx.Client, code: str):
    content = json.dumps({"code": code})
    answer = phone.post(
        "/api/pairing", content=content, headers={"content-type": "application/json"}
    )

    assert code_of(answer) in {(403, "pairing_refused"), (422, "request_invalid")}


def test_code_is_made_by_the_local_user_alone(
    service: PhonesService, phone: httpx.Client, conninfo: str
):
    assert phone.post("/api/pairing/codes").status_code == 401
    service.pair(phone)
    assert code_of(phone.post("/api/pairing/codes")) == (403, "forbidden")

    _, admin = in_transaction(
        conninfo, lambda c: tokens.create(c, "admin of codes", Scope.ADMIN, None, None)
    )
    by_admin = phone.post("/api/pairing/codes", headers={"authorization": f"Bearer {admin}"})
    assert code_of(by_admin) == (403, "pairing_refused")


def test_code_is_no_use_at_the_local_users_address(service: PhonesService):
    answer = service.local.post("/api/pairing", json={"code": service.code()})

    assert code_of(answer) == (403, "pairing_refused")
    assert "set-cookie" not in answer.headers


def test_code_comes_as_a_picture_of_its_address(service: PhonesService):
    made = service.local.post("/api/pairing/codes").json()

    rows = made["qr_rows"]
    assert {len(row) for row in rows} == {len(rows)}
    assert set("".join(rows)) == {"0", "1"}
    assert made["address"] == service.address
    assert len(made["url"].partition("#")[2]) >= 22  # 128 bits


def test_cookie_does_not_open_the_local_door_more_or_less(
    service: PhonesService, phone: httpx.Client
):
    answer = service.local.get(READS, headers={"cookie": f"{COOKIE}=stm_0123456789ab_{'x' * 43}"})

    assert answer.status_code == 200
    assert phone.get(READS, headers={"cookie": f"{COOKIE}=local"}).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "127.0.0.1", "192.168.1.99:8443", ""]
)
def test_phones_door_is_called_by_its_own_names_only(
    service: PhonesService, phone: httpx.Client, host: str
):
    service.pair(phone)

    answer = phone.get("/livez", headers={"host": host})

    assert code_of(answer) == (403, "origin_refused")


def test_phones_door_is_called_by_its_address_and_this_machines_name(phone: httpx.Client):
    name = socket.gethostname().partition(".")[0]

    assert phone.get("/livez", headers={"host": f"{LAN_ADDRESS}:8443"}).status_code == 200
    assert phone.get("/livez", headers={"host": f"{name}.local"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1;host=localhost;proto=http"},
        {"x-forwarded-host": "localhost", "x-forwarded-proto": "http"},
        {"x-real-ip": "::1"},
    ],
)
def test_nothing_that_a_caller_sends_makes_it_the_local_user(
    phone: httpx.Client, headers: dict[str, str]
):
    assert phone.get(READS, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": f"https://{LAN_ADDRESS}:1"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
def test_page_of_another_origin_changes_nothing_with_a_phones_cookie(
    service: PhonesService, phone: httpx.Client, headers: dict[str, str]
):
    service.pair(phone)

    assert code_of(phone.post(WRITES, json=WANTED, headers=headers)) == (403, "origin_refused")
    assert code_of(phone.delete("/api/pairing", headers=headers)) == (403, "origin_refused")
    own = {"origin": service.address, "sec-fetch-site": "same-origin"}
    assert phone.post(WRITES, json=WANTED, headers=own).status_code == 404


def test_phone_that_unpairs_is_forgotten_at_once(
    service: PhonesService, phone: httpx.Client, conninfo: str
):
    service.pair(phone)
    text, token_id = phone.cookies[COOKIE], held_by(phone)
    assert phone.get(READS).status_code == 200

    answer = phone.delete("/api/pairing")

    assert answer.status_code == 204
    assert COOKIE not in phone.cookies
    assert token_of(conninfo, token_id).revoked_at
    assert phone.get(READS, headers={"cookie": f"{COOKIE}={text}"}).status_code == 401
    assert phone.delete("/api/pairing").status_code == 204  # again


def test_phone_that_is_paired_again_gives_its_old_token_up(
    service: PhonesService, phone: httpx.Client, conninfo: str
):
    first = service.pair(phone)
    former = held_by(phone)

    second = service.pair(phone)

    assert token_of(conninfo, former).revoked_at
    assert not token_of(conninfo, held_by(phone)).revoked_at
    assert second["name"] == first["name"]
    assert phone.get(READS).status_code == 200


def test_phone_whose_token_was_revoked_is_asked_to_pair_again(
    service: PhonesService, phone: httpx.Client, conninfo: str
):
    service.pair(phone)
    in_transaction(conninfo, lambda c: tokens.revoke(c, held_by(phone)))

    limit = time.monotonic() + WITHIN_S
    while (answer := phone.get(READS)).status_code == 200:
        assert time.monotonic() < limit, "it is still let in"
        time.sleep(0.1)

    assert code_of(answer) == (401, "unauthenticated")
    assert "not paired with Stemset, or not any more" in answer.json()["error"]["detail"]
    assert phone.get("/api/pairing").json()["caller"] is None


def test_phone_follows_the_events_by_its_cookie(service: PhonesService, phone: httpx.Client):
    service.pair(phone)

    with phone.stream("GET", "/api/events") as stream:
        assert stream.status_code == 200
        wait_hello(stream.iter_text())


def test_report_that_is_not_signed_is_believed_from_loopback_alone(
    service: PhonesService, phone: httpx.Client
):
    service.pair(phone)
    path, report = "/api/jobs/none/callback", {"job_id": "none"}

    assert phone.post(path, json=report).status_code == 401
    assert service.local.post(path, json=report).status_code != 401


def test_certificate_for_phones_is_the_authoritys_and_holds_no_key(
    service: PhonesService, phone: httpx.Client
):
    kept = x509.load_pem_x509_certificate(service.authority_file.read_bytes())
    for client in (service.local, phone):
        answer = client.get("/api/pairing/authority.crt")

        assert answer.headers["content-type"] == "application/x-x509-ca-cert"
        assert x509.load_der_x509_certificate(answer.content) == kept


def test_phones_door_speaks_tls_alone(service: PhonesService):
    plain = service.address.replace("https", "http")

    with pytest.raises(httpx.TransportError):
        httpx.get(f"{plain}/livez", timeout=WITHIN_S, trust_env=False)


def test_service_without_a_door_for_phones_says_so(client: httpx.Client):
    assert client.get("/api/pairing").json()["address"] is None
    for answer in (
        client.post("/api/pairing/codes"),
        client.post("/api/pairing", json={"code": "x"}),
        client.get("/api/pairing/authority.crt"),
    ):
        assert code_of(answer) == (403, "pairing_refused")
        assert "stemset serve --lan" in answer.json()["error"]["detail"]


def test_service_stops_in_order_while_a_phone_follows_it(
    tmp_path_factory: pytest.TempPathFactory, conninfo: str
):
    with contextlib.ExitStack() as stack:
        folder = tmp_path_factory.mktemp("stopping")
        inner = stack.enter_context(contextlib.ExitStack())
        running = inner.enter_context(phones_service(folder, conninfo))
        phone = stack.enter_context(running.phone())
        running.pair(phone)
        stream = stack.enter_context(phone.stream("GET", "/api/events"))
        texts = stream.iter_text()
        wait_hello(texts)

        began = time.monotonic()
        inner.close()  # fails unless it exits with 0

        assert time.monotonic() - began < 10
        assert "".join(texts) is not None  # the stream has ended, and was not cut off


class Clock:
    """A clock that the test turns."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def made_pairing() -> tuple[Pairing, Clock]:
    clock = Clock()
    return Pairing("https://192.168.1.5:8443", b"", clock), clock


def code_in(url: str) -> str:
    return url.partition("#")[2]


def test_code_ends_after_ten_minutes():
    pairing, clock = made_pairing()
    first, second = (code_in(pairing.invite().url) for _ in range(2))

    clock.now_s += CODE_VALID_S - 0.01
    with pairing.used(first, "10.0.0.1"):
        pass
    clock.now_s += 0.02

    with pytest.raises(PairingRefused), pairing.used(second, "10.0.0.1"):
        pass
    assert CODE_VALID_S == 600


def test_code_is_kept_if_the_database_was_away_when_it_was_used():
    pairing, _ = made_pairing()
    code = code_in(pairing.invite().url)

    with pytest.raises(DatabaseUnavailable), pairing.used(code, "10.0.0.1"):
        raise DatabaseUnavailable("away")

    with pairing.used(code, "10.0.0.1"):
        pass
    with pytest.raises(PairingRefused), pairing.used(code, "10.0.0.1"):
        pass


def test_codes_that_nobody_used_do_not_pile_up():
    pairing, _ = made_pairing()
    codes = [code_in(pairing.invite().url) for _ in range(100)]

    assert len(pairing._ends_at_s) <= 16
    with pairing.used(codes[-1], "10.0.0.1"):
        pass


def test_address_that_guesses_is_let_try_again_after_a_minute():
    pairing, clock = made_pairing()
    code = code_in(pairing.invite().url)
    for _ in range(WRONG_CODES_PER_MINUTE):
        with pytest.raises(PairingRefused), pairing.used("wrong", "10.0.0.66"):
            pass

    with pytest.raises(ServiceBusy), pairing.used(code, "10.0.0.66"):
        pass
    clock.now_s += 60
    with pairing.used(code, "10.0.0.66"):
        pass


def test_address_that_guesses_does_not_keep_others_out():
    pairing, _ = made_pairing()
    code = code_in(pairing.invite().url)
    for _ in range(2 * WRONG_CODES_PER_MINUTE):
        with pytest.raises((PairingRefused, ServiceBusy)), pairing.used("wrong", "10.0.0.66"):
            pass

    with pairing.used(code, "10.0.0.1"):
        pass
