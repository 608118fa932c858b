"""Members, their sessions, and the audit log, in a real database."""

import asyncio
from collections.abc import Callable
from hashlib import sha256

import psycopg
import pytest
from ledger_steps import LedgerSteps
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.errors import (
    InvalidConfig,
    LastAdmin,
    MemberFromConfig,
    MemberNotFound,
    SignInExpired,
    Unauthenticated,
)
from stemset.jobs import audit, members, sessions
from stemset.jobs.audit import Action, Actor
from stemset.jobs.caller import Caller, Role, Scope
from stemset.jobs.database import Database
from stemset.jobs.members import Member

ANNA, BEN = "anna@example.org", "ben@example.org"


@pytest.fixture
def ledger(database_conninfo: str) -> LedgerSteps:
    return LedgerSteps(database_conninfo)


def put(
    ledger: LedgerSteps, email: str, role: Role = Role.MEMBER, profiles: list[str] | None = None
) -> Member:
    return ledger.do(lambda c: members.put(c, email, role, profiles))


def listed(ledger: LedgerSteps) -> dict[str, Role]:
    return {each.email: each.role for each in ledger.do(members.list_members)}


def sql(ledger: LedgerSteps, statement: str) -> None:
    with psycopg.connect(ledger.conninfo, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_member_is_changed_by_its_address_and_keeps_its_id(ledger: LedgerSteps):
    first = put(ledger, " Anna@Example.ORG ", profiles=["h4n", "h4n"])
    again = put(ledger, ANNA, Role.ADMIN, ["h4n"])

    assert (first.email, first.profiles) == (ANNA, {"h4n"})
    assert (again.id, again.role, again.profiles) == (first.id, Role.ADMIN, None)
    assert first.caller == Caller(first.id, ANNA, Scope.WRITE, frozenset({"h4n"}))
    assert again.caller == Caller(first.id, ANNA, Scope.ADMIN, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "@example.org",
        "anna@",
        "a b@c",
        "a@b@c",
        "a\n@b",
        "a\0@b",
        "a,b@c",
        "a@" + "b" * 253,
    ],
    ids=["empty", "name", "host", "no-host", "space", "two", "line", "nul", "comma", "long"],
)
def test_what_is_no_address_is_refused(ledger: LedgerSteps, text: str):
    with pytest.raises(InvalidConfig):
        put(ledger, text)


def test_last_admin_stays_one(ledger: LedgerSteps):
    put(ledger, ANNA, Role.ADMIN)
    put(ledger, BEN)

    with pytest.raises(LastAdmin):
        put(ledger, ANNA)
    with pytest.raises(LastAdmin):
        ledger.do(lambda c: members.remove(c, ANNA))

    put(ledger, BEN, Role.ADMIN)
    assert put(ledger, ANNA).role is Role.MEMBER


def test_two_admins_who_remove_each_other_leave_one(ledger: LedgerSteps):
    put(ledger, ANNA, Role.ADMIN)
    put(ledger, BEN, Role.ADMIN)

    async def removed(database: Database, email: str) -> bool:
        try:
            async with database.transaction() as connection:
                await members.remove(connection, email)
        except LastAdmin:
            return False
        return True

    async def both(database: Database) -> list[bool]:
        return list(await asyncio.gather(removed(database, ANNA), removed(database, BEN)))

    assert sorted(ledger.run(both)) == [False, True]
    assert list(listed(ledger).values()) == [Role.ADMIN]


def test_member_who_is_none_cannot_be_removed(ledger: LedgerSteps):
    with pytest.raises(MemberNotFound, match=ANNA):
        ledger.do(lambda c: members.remove(c, ANNA))


def test_configuration_decides_about_those_that_it_names(ledger: LedgerSteps):
    put(ledger, ANNA, profiles=["h4n"])
    put(ledger, "carla@example.org")
    ledger.do(lambda c: members.agree_with_config(c, {ANNA, BEN}))
    assert listed(ledger) == {ANNA: "admin", BEN: "admin", "carla@example.org": "member"}

    with pytest.raises(MemberFromConfig, match="STEMSET_ADMINS"):
        put(ledger, ANNA)
    with pytest.raises(MemberFromConfig):
        ledger.do(lambda c: members.remove(c, BEN))

    ledger.do(lambda c: members.agree_with_config(c, {BEN}))
    assert listed(ledger) == {BEN: "admin", "carla@example.org": "member"}


def begin(ledger: LedgerSteps, member: Member, flow: str = "flow") -> str:
    return ledger.do(lambda c: sessions.begin(c, member, flow))


def caller(ledger: LedgerSteps, text: str) -> Caller:
    return ledger.run(lambda database: sessions.authenticate(database, text))


def test_session_is_its_members_and_its_secret_is_not_kept(ledger: LedgerSteps):
    member = put(ledger, ANNA)
    text = begin(ledger, member)

    assert caller(ledger, text) == member.caller
    _, _, secret = text.split("_", 2)
    with psycopg.connect(ledger.conninfo) as connection:
        (row,) = connection.execute("SELECT * FROM sessions").fetchall()
    assert sha256(secret.encode()).hexdigest() in row
    assert secret not in str(row)


def test_session_of_a_sign_in_that_was_used_is_refused(ledger: LedgerSteps):
    member = put(ledger, ANNA)
    text = begin(ledger, member)
    with pytest.raises(SignInExpired):
        begin(ledger, member)

    ledger.do(lambda c: sessions.end_all(c, member))

    with pytest.raises(SignInExpired):
        begin(ledger, member)
    with pytest.raises(Unauthenticated):
        caller(ledger, text)


def remove_anna(ledger: LedgerSteps) -> None:
    ledger.do(lambda c: members.remove(c, ANNA))


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(remove_anna, id="member-removed"),
        pytest.param(
            lambda ledger: sql(ledger, "UPDATE sessions SET expires_at = now()"), id="too-old"
        ),
        pytest.param(
            lambda ledger: sql(ledger, "UPDATE sessions SET ended_at = now()"), id="signed-out"
        ),
        pytest.param(
            lambda ledger: sql(ledger, "UPDATE sessions SET secret_sha256 = 'x'"), id="another"
        ),
    ],
)
def test_session_that_does_not_go_on_is_refused(
    ledger: LedgerSteps, how: Callable[[LedgerSteps], None]
):
    text = begin(ledger, put(ledger, ANNA))

    how(ledger)

    with pytest.raises(Unauthenticated):
        caller(ledger, text)


def test_sessions_of_one_member_end_together_and_others_go_on(ledger: LedgerSteps):
    anna, ben = put(ledger, ANNA), put(ledger, BEN)
    of_anna = [begin(ledger, anna, f"anna {number}") for number in range(2)]
    of_ben = begin(ledger, ben, "ben")
    assert ledger.do(sessions.count) == {anna.id: 2, ben.id: 1}

    assert ledger.do(lambda c: sessions.end_all(c, anna)) == 2

    for text in of_anna:
        with pytest.raises(Unauthenticated):
            caller(ledger, text)
    assert caller(ledger, of_ben) == ben.caller
    assert ledger.do(sessions.count) == {ben.id: 1}


def test_sessions_are_forgotten_once_their_sign_ins_cannot_come_again(ledger: LedgerSteps):
    member = put(ledger, ANNA)
    begin(ledger, member, "old")
    sql(ledger, "UPDATE sessions SET expires_at = now() - interval '1 second', ended_at = now()")
    text = begin(ledger, member, "new")

    ledger.do(sessions.forget)

    assert caller(ledger, text)
    with psycopg.connect(ledger.conninfo) as connection:
        assert connection.execute("SELECT flow FROM sessions").fetchall() == [("new",)]


def test_audit_log_is_read_from_its_end_and_forgets_what_is_old(ledger: LedgerSteps):
    actor = Actor("anna@example.org", "m_1", "127.0.0.1", "request")

    async def notes(connection: AsyncConnection) -> None:
        for number in range(5):
            await audit.note(connection, actor, Action.OUTPUT_DELETED, f"take {number}", n=number)

    ledger.do(notes)
    newest = ledger.do(lambda c: audit.page(c, None, 2))
    older = ledger.do(lambda c: audit.page(c, newest[-1].id, 2))

    assert [each.subject for each in newest + older] == ["take 4", "take 3", "take 2", "take 1"]
    assert (newest[0].actor, newest[0].detail) == (actor, {"n": 4})
    sql(ledger, "UPDATE audit SET at = now() - interval '401 days' WHERE (detail->'n')::int < 3")
    ledger.do(audit.forget)
    assert ledger.do(lambda c: audit.page(c, None, 100)) == newest


def test_audit_log_has_nothing_of_what_did_not_happen(ledger: LedgerSteps):
    async def fails(connection: AsyncConnection) -> None:
        await audit.note(connection, Actor("anna"), Action.OUTPUT_DELETED)
        raise MemberNotFound

    with pytest.raises(MemberNotFound):
        ledger.do(fails)

    assert ledger.do(lambda c: audit.page(c, None, 100)) == []
