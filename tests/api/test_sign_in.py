"""Signing in by browser, with a real provider. Row 44 of the faults."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from event_client import EventClient
from ledger_database import LedgerDatabases
from prometheus_client import Metric
from service_client import running_service
from signing_in import Browser, Place, location, service_with_sign_in, why
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api import metrics
from stemset.api._rates import BURST_S
from stemset.api._tokens import REMEMBERED_S
from stemset.api.access import SESSION_COOKIE
from stemset.api.routes.sessions import FLOW_COOKIE
from stemset.jobs import members, sessions, tables
from stemset.jobs.caller import Role, Scope

WITHIN_S = 20.0
PER_S = 3


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, ledger_databases: LedgerDatabases
) -> Iterator[Place]:
    """A service and a provider; each test has people of its own."""
    conninfo = ledger_databases.migrated()
    with service_with_sign_in(tmp_path_factory.mktemp("sign-in"), conninfo) as made:
        yield made
    ledger_databases.drop(conninfo)


def ended(outcome: str) -> float:
    """How many sign-ins ended so."""
    families: list[Metric] = list(metrics.SIGN_INS.collect())
    samples = [each for each in families[0].samples if each.name.endswith("_total")]
    return sum(each.value for each in samples if each.labels == {"outcome": outcome})


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether something becomes so soon after what is remembered of a session is forgotten."""
    limit = time.monotonic() + REMEMBERED_S + WITHIN_S
    while not is_so():
        if time.monotonic() > limit:
            return False
        time.sleep(0.2)
    return True


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_nobody_is_let_in_without_a_session_on_loopback_either(place: Place):
    browser = place.browser()

    answer = browser.get("/api/session").json()

    assert answer["sign_in"] == {"provider": "127.0.0.1", "issuer": place.provider.issuer}
    assert answer["member"] is None
    assert code(browser.get("/api/jobs")) == (401, "unauthenticated")


def test_member_signs_in_and_is_let_in(place: Place):
    email = place.account("anna", name="Anna Apple")
    member = place.let_in(email, profiles=["h4n"])
    browser = place.browser()
    before = ended("signed_in")

    assert place.sign_in(browser, "anna", "/play/x?stem=vocals#1:20") == "/play/x?stem=vocals#1:20"

    cookie = browser.set[SESSION_COOKIE]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("strict", "/", "")
    assert int(cookie["max-age"]) == sessions.LASTS.total_seconds()
    assert FLOW_COOKIE not in browser.cookies
    assert browser.may_look
    told = browser.member
    assert told.pop("expires_at")
    assert told == {"email": email, "name": "Anna Apple", "role": "member", "profiles": ["h4n"]}
    assert code(browser.get("/api/members")) == (403, "forbidden")
    assert ended("signed_in") == before + 1
    entry = place.audit()[0]
    assert (entry.action, entry.actor.name, entry.actor.id) == ("signed_in", email, member.id)
    assert entry.actor.address == "127.0.0.1"


def test_address_is_compared_without_regard_to_capitals(place: Place):
    place.account("capital", email="Capital@Example.ORG")
    place.let_in("cAPITAL@example.org")
    browser = place.browser()

    assert place.sign_in(browser, "capital") == "/"

    assert browser.member["email"] == "capital@example.org"


def test_admin_may_what_admins_may(place: Place):
    browser = place.member("boss", Role.ADMIN)

    assert browser.get("/api/members").status_code == 200


def test_person_who_is_no_member_is_told_so_and_logged(
    place: Place, capfd: pytest.CaptureFixture[str]
):
    email = place.account("stranger-to-us")
    browser = place.browser()
    before = ended("not_a_member")

    assert why(place.sign_in(browser, "stranger-to-us")) == "not_a_member"

    assert browser.cookies == {}
    assert not browser.may_look
    assert ended("not_a_member") == before + 1
    entry = place.audit()[0]
    assert (entry.action, entry.actor.name) == ("sign_in_refused", email)
    assert entry.detail == {"code": "not_a_member"}
    assert "not_a_member" in "".join(capfd.readouterr())


def test_address_that_the_provider_does_not_vouch_for_is_refused(place: Place):
    email = place.account("real")
    place.let_in(email)
    place.account("false-real", email=email, email_verified=False)
    browser = place.browser()

    assert why(place.sign_in(browser, "false-real")) == "email_unverified"

    assert browser.cookies == {}


@pytest.mark.parametrize("said", ["true", 1, None])
def test_address_is_verified_only_by_a_true_one(place: Place, said: object):
    place.let_in(place.account(f"said-{said}", email_verified=said))

    assert why(place.sign_in(place.browser(), f"said-{said}")) == "email_unverified"


def test_address_that_passed_to_another_account_is_refused(place: Place):
    browser = place.member("leaver")
    place.account("successor", email="leaver@example.org")

    assert why(place.sign_in(place.browser(), "successor")) == "not_a_member"

    assert browser.may_look
    assert place.sign_in(place.browser(), "leaver") == "/"


def test_person_who_cancels_is_told_so(place: Place):
    browser = place.browser()

    assert why(place.sign_in(browser, None)) == "sign_in_cancelled"

    assert browser.cookies == {}


def test_way_back_is_good_once(place: Place):
    place.let_in(place.account("once"))
    browser = place.browser()
    back = place.way_back(browser, "once")
    flow = browser.cookies[FLOW_COOKIE]
    assert location(browser.get(back)) == "/"

    again = place.browser()
    assert why(location(again.get(back))) == "sign_in_expired"
    again.cookies[FLOW_COOKIE] = flow
    assert why(location(again.get(back))) in {"sign_in_expired", "sign_in_failed"}

    assert again.member is None


def test_way_back_of_another_browser_signs_nobody_in(place: Place):
    """Whoever lures a person to their own way back does not sign that person in as them."""
    place.let_in(place.account("attacker"))
    back = place.way_back(place.browser(), "attacker")
    victim = place.browser()
    victim.get("/api/sign-in")

    assert why(location(victim.get(back))) == "sign_in_expired"

    assert victim.member is None


@pytest.mark.parametrize(
    "change",
    [
        lambda back: back.replace("state=", "state=x"),
        lambda back: back.replace("state=", "was="),
        lambda back: f"{back}&state=",
    ],
    ids=["another", "none", "two"],
)
def test_way_back_with_a_state_that_is_not_its_own_is_refused(
    place: Place, change: Callable[[str], str], request: pytest.FixtureRequest
):
    login = f"state-{request.node.callspec.id}"
    place.let_in(place.account(login))
    browser = place.browser()
    back = change(place.way_back(browser, login))

    assert why(location(browser.get(back))) == "sign_in_expired"

    assert browser.member is None


def test_way_back_of_another_provider_is_refused(place: Place):
    place.let_in(place.account("mixed-up"))
    browser = place.browser()
    back = place.way_back(browser, "mixed-up").partition("&iss=")[0]

    answer = browser.get(f"{back}&iss=https%3A%2F%2Fevil.example")

    assert why(location(answer)) == "sign_in_failed"


def test_session_that_a_browser_brings_along_is_not_gone_on_with(place: Place):
    """Who sets another's cookie beforehand does not know the session afterwards."""
    attacker = place.member("fixer")
    planted = attacker.cookies[SESSION_COOKIE]
    place.let_in(place.account("fixed"))
    victim = place.browser()
    victim.cookies[SESSION_COOKIE] = planted

    assert place.sign_in(victim, "fixed") == "/"

    assert victim.cookies[SESSION_COOKIE] != planted
    assert victim.member["email"] == "fixed@example.org"
    assert attacker.member is None


@pytest.mark.parametrize(
    "made_up",
    ["x", "sts_0123456789ab_" + "x" * 43, "é", "x" * 8000],
    ids=["short", "formed", "letters", "long"],
)
def test_session_that_is_made_up_is_none(place: Place, made_up: str):
    browser = place.browser()
    browser.cookies[SESSION_COOKIE] = made_up

    assert browser.member is None
    assert not browser.may_look


def test_session_and_token_do_not_stand_in_for_each_other(place: Place):
    session = place.member("both").cookies[SESSION_COOKIE]
    token = place.running.make_token(Scope.ADMIN, name="for a cookie")
    browser = place.browser()
    browser.cookies[SESSION_COOKIE] = token

    answer = place.browser().get("/api/jobs", headers={"authorization": f"Bearer {session}"})

    assert code(answer) == (401, "unauthenticated")
    assert not browser.may_look


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        " //evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/api/sign-in",
        "/api",
        "/x\r\nset-cookie: a=b",
        "",
        "/" + "x" * 3000,
        "/é",
    ],
)
def test_sign_in_leads_nowhere_else_afterwards(place: Place, wanted: str):
    place.let_in(place.account("wanderer"))

    assert place.sign_in(place.browser(), "wanderer", wanted) == "/"


def test_member_signs_out_of_one_browser(place: Place):
    here = place.member("leaves")
    there = place.browser()
    place.sign_in(there, "leaves")
    text = here.cookies[SESSION_COOKIE]

    assert here.call("DELETE", "/api/session").status_code == 204

    assert SESSION_COOKIE not in here.cookies
    here.cookies[SESSION_COOKIE] = text
    assert not here.may_look
    assert there.may_look
    assert place.audit()[0].action == "signed_out"


def test_member_signs_out_everywhere(place: Place):
    here, there = place.member("goes"), place.browser()
    place.sign_in(there, "goes")

    assert here.call("DELETE", "/api/session", params={"everywhere": True}).status_code == 204

    assert not here.may_look
    assert there.member is None
    assert not there.may_look
    entry = place.audit()[0]
    assert (entry.action, entry.detail) == ("signed_out_everywhere", {"sessions": 2})


def test_stream_of_a_member_who_signed_out_ends(place: Place):
    browser = place.member("listens")
    cookie = {"cookie": f"{SESSION_COOKIE}={browser.cookies[SESSION_COOKIE]}"}
    with closing(EventClient(place.running.url, "/api/events", cookie)) as stream:
        assert stream.status == 200
        browser.call("DELETE", "/api/session")

        assert stream.rest() is not None  # to its end, or the read times out


def test_member_who_is_removed_is_out_at_once(place: Place):
    admin, browser = place.member("removes", Role.ADMIN), place.member("removed")
    assert browser.may_look

    answer = admin.call("DELETE", "/api/members/removed@example.org")

    assert answer.status_code == 204
    assert eventually(lambda: not browser.may_look)
    assert why(place.sign_in(browser, "removed")) == "not_a_member"


def test_admin_who_is_made_a_member_is_one_at_once(place: Place):
    browser = place.member("demoted", Role.ADMIN)
    assert browser.get("/api/members").status_code == 200

    place.let_in("demoted@example.org")

    assert eventually(lambda: browser.get("/api/members").status_code == 403)
    assert browser.may_look


def test_session_ends_by_itself(place: Place):
    browser = place.member("sleeps")

    async def thirty_days_pass(connection: AsyncConnection) -> None:
        member = await members.find(connection, "sleeps@example.org")
        ends = update(tables.sessions).values(expires_at=func.now())
        await connection.execute(ends.where(tables.sessions.c.member_id == member.id))

    place.running.in_transaction(thirty_days_pass)

    assert browser.member is None
    assert not browser.may_look


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}],
    ids=["origin", "site"],
)
def test_page_of_another_origin_changes_nothing_with_a_members_cookie(
    place: Place, headers: dict[str, str]
):
    browser = place.member(f"lured-{next(iter(headers))}", Role.ADMIN)

    for method, path in [
        ("DELETE", "/api/session"),
        ("PUT", "/api/members/evil@example.org"),
        ("POST", "/api/process"),
    ]:
        assert code(browser.call(method, path, headers=headers, json={})) == (403, "origin_refused")

    assert browser.member is not None


def test_what_a_member_did_stands_in_the_audit_log(place: Place):
    admin = place.member("keeper", Role.ADMIN)
    admin.call("PUT", "/api/members/noted@example.org", json={"role": "member"})

    entries = admin.get("/api/audit", params={"limit": 1}).json()

    (entry,) = entries["entries"]
    assert entry["actor"] == "keeper@example.org"
    assert (entry["action"], entry["subject"]) == ("member_put", "noted@example.org")
    assert entry["detail"] == {"role": "member", "profiles": None}
    assert entries["next"] == entry["id"]


def test_provider_that_does_not_answer_is_named(tmp_path: Path, database_conninfo: str):
    with service_with_sign_in(tmp_path, database_conninfo) as place:
        email = place.account("patient")
        place.let_in(email)
        place.provider.stop()

        answer = place.browser().get("/api/sign-in")
        assert why(location(answer)) == "provider_unavailable"

        place.provider.start()
        assert place.sign_in(place.browser(), "patient") == "/"


def test_sign_ins_are_counted_by_where_they_come_from(tmp_path: Path, database_conninfo: str):
    seldom = {"STEMSET_CALLS_PER_S": f"{PER_S}"}
    with service_with_sign_in(tmp_path, database_conninfo, seldom) as place:
        browser = place.browser()
        begun_s = time.monotonic()
        statuses: list[int] = []
        while 429 not in statuses:  # more than can be made up for while it lasts
            statuses.append(browser.get("/api/sign-in/callback").status_code)
            assert time.monotonic() < begun_s + WITHIN_S

    assert set(statuses) == {303, 429}
    assert len(statuses) > PER_S * BURST_S


def test_service_without_sign_in_says_so(client: httpx.Client):
    assert client.get("/api/session").json() == {"sign_in": None, "member": None}
    for path in ("/api/sign-in", "/api/sign-in/callback?code=x&state=y"):
        assert location(client.get(path, follow_redirects=False)) == "/"
    assert client.delete("/api/session").status_code == 204


def test_session_counts_for_nothing_where_there_is_no_sign_in(
    place: Place, tmp_path: Path, database_conninfo: str
):
    session = place.member("elsewhere").cookies[SESSION_COOKIE]
    with running_service(tmp_path, database_conninfo, is_open=False) as service:
        browser = Browser(service.url)
        browser.cookies[SESSION_COOKIE] = session
        assert code(browser.get("/api/jobs")) == (401, "unauthenticated")
        browser.close()
