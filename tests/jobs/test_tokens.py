"""Tokens: what is kept of them, who they are, and when they are refused."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import psycopg
import pytest
from ledger_steps import LedgerSteps

from stemset.errors import InvalidConfig, TokenNotFound, Unauthenticated
from stemset.jobs import tokens
from stemset.jobs.caller import Caller, Scope
from stemset.jobs.database import Database
from stemset.jobs.tokens import Token, authenticate


class Ledger(LedgerSteps):
    """A ledger with tokens."""

    def create(
        self,
        name: str = "ci",
        *,
        scope: Scope = Scope.WRITE,
        profiles: list[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[Token, str]:
        return self.do(lambda c: tokens.create(c, name, scope, profiles, expires_at))

    def revoke(self, id_or_name: str) -> Token:
        return self.do(lambda c: tokens.revoke(c, id_or_name))

    def listed(self) -> list[Token]:
        return self.do(tokens.list_tokens)

    def authenticate(self, text: str) -> Caller:
        return self.run(lambda database: authenticate(database, text))

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.conninfo) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def ledger(database_conninfo: str) -> Ledger:
    return Ledger(database_conninfo)


def test_token_holder_is_its_caller(ledger: Ledger):
    token, text = ledger.create("anna", scope=Scope.READ, profiles=["h4n", "h4n", "desk"])

    caller = ledger.authenticate(text)

    assert caller == Caller(token.id, "anna", Scope.READ, frozenset({"h4n", "desk"}))


def test_token_without_profiles_sees_all(ledger: Ledger):
    _, text = ledger.create(profiles=None)

    assert ledger.authenticate(text).profiles is None
    assert ledger.sql("SELECT count(*) FROM tokens WHERE profiles IS NULL") == [(1,)]


def test_token_secret_is_kept_as_a_hash_only(ledger: Ledger):
    token, text = ledger.create()
    secret = text.removeprefix(f"stm_{token.id}_")

    ((row,),) = ledger.sql("SELECT tokens::text FROM tokens")

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert secret not in str(row)
    assert sha256(secret.encode()).hexdigest() in str(row)


def test_token_secret_with_separators_in_it_is_read(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    secret = "_-_" + "a" * 40
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: secret)
    token, text = ledger.create()

    assert text.endswith(secret)
    assert ledger.authenticate(text).id == token.id


def test_token_texts_are_all_different(ledger: Ledger):
    texts = {ledger.create(f"token {number}")[1] for number in range(3)}

    assert len(texts) == 3


def refusal(ledger: Ledger, text: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        ledger.authenticate(text)
    return str(caught.value)


def test_token_not_valid_is_refused_in_the_same_words_whatever_it_is(ledger: Ledger):
    token, text = ledger.create()
    revoked, revoked_text = ledger.create("revoked")
    ledger.revoke(revoked.id)
    past = datetime.now(UTC) - timedelta(seconds=1)
    _, expired_text = ledger.create("expired", expires_at=past)
    last = "B" if text[-1] == "A" else "A"
    bad = {
        "empty": "",
        "no token": "letmein",
        "other secret": text[:-1] + last,
        "unknown id": text.replace(token.id, "0" * 12),
        "id of another": text.replace(token.id, revoked.id),
        "cut": text[:-1],
        "longer": text + "A",
        "line": text + "\n",
        "upper": text.upper(),
        "other letters": "stm_" + "0" * 12 + "_" + "ä" * 43,
        "nul": text[:-1] + "\0",
        "revoked": revoked_text,
        "expired": expired_text,
    }

    said = {name: refusal(ledger, each) for name, each in bad.items()}

    assert set(said.values()) == {"The token is not valid: it is unknown, expired or revoked."}
    assert ledger.authenticate(text).id == token.id


def test_token_that_expires_later_is_valid_until_then(ledger: Ledger):
    _, text = ledger.create(expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert ledger.authenticate(text).name == "ci"

    ledger.sql("UPDATE tokens SET expires_at = now()")

    assert refusal(ledger, text)


def test_use_of_a_token_is_noted_once_a_minute(ledger: Ledger):
    _, text = ledger.create()
    assert ledger.listed()[0].used_at is None

    ledger.authenticate(text)
    first = ledger.listed()[0].used_at
    ledger.authenticate(text)
    second = ledger.listed()[0].used_at
    ledger.sql("UPDATE tokens SET used_at = now() - interval '61 s'")
    ledger.authenticate(text)
    third = ledger.listed()[0].used_at

    assert first == second
    assert first is not None
    assert third is not None
    assert third > first


def test_use_of_a_token_that_is_refused_is_not_noted(ledger: Ledger):
    token, text = ledger.create()

    refusal(ledger, f"stm_{token.id}_" + "A" * 43)

    assert ledger.listed()[0].used_at is None
    assert ledger.authenticate(text)


def test_token_used_by_many_at_once_is_taken_from_all(ledger: Ledger):
    _, text = ledger.create()

    async def scenario(database: Database) -> list[Caller]:
        return await asyncio.gather(*(authenticate(database, text) for _ in range(30)))

    assert {caller.name for caller in ledger.run(scenario)} == {"ci"}


def test_token_name_in_use_is_refused_until_it_is_revoked(ledger: Ledger):
    old, _ = ledger.create()
    with pytest.raises(InvalidConfig, match="token named 'ci' already: revoke it first"):
        ledger.create()

    ledger.revoke("ci")
    new, text = ledger.create()

    assert ledger.authenticate(text).id == new.id != old.id


def test_token_name_wanted_by_two_at_once_is_given_to_one(ledger: Ledger):
    async def one(database: Database) -> str:
        async with database.transaction() as connection:
            _, text = await tokens.create(connection, "ci", Scope.READ, None, None)
        return text

    async def scenario(database: Database) -> list[str | BaseException]:
        return await asyncio.gather(*(one(database) for _ in range(4)), return_exceptions=True)

    results = ledger.run(scenario)

    assert sorted(type(each).__name__ for each in results) == [*3 * ["InvalidConfig"], "str"]


@pytest.mark.parametrize(
    "name", ["", " ", "a ", " a", "a\nb", "\x1b[31mred", "x" * 65, "\u202eevil", "0123456789ab"]
)
def test_token_name_that_people_cannot_call_it_is_refused(ledger: Ledger, name: str):
    with pytest.raises(InvalidConfig, match="is no name of a token"):
        ledger.create(name)


@pytest.mark.parametrize("name", ["x", "Anna's laptop", "Ünal – café", "x" * 64])
def test_token_name_that_people_write_is_kept(ledger: Ledger, name: str):
    _, text = ledger.create(name)

    assert ledger.authenticate(text).name == name


def test_list_holds_all_tokens_the_oldest_first(ledger: Ledger):
    end = datetime(2031, 1, 1, tzinfo=UTC)
    first, _ = ledger.create("first", scope=Scope.ADMIN, expires_at=end)
    second, _ = ledger.create("second", profiles=["h4n"])
    revoked = ledger.revoke("first")

    assert ledger.listed() == [revoked, second]
    assert revoked.id == first.id
    assert revoked.expires_at == end
    assert revoked.revoked_at is not None


def test_revoke_by_name_and_by_id(ledger: Ledger):
    by_name, name_text = ledger.create("by name")
    by_id, id_text = ledger.create("by id")
    _, other_text = ledger.create("other")

    assert ledger.revoke("by name").id == by_name.id
    assert ledger.revoke(by_id.id).name == "by id"

    assert refusal(ledger, name_text) == refusal(ledger, id_text)
    assert ledger.authenticate(other_text).name == "other"


def test_revoke_again_by_id_changes_nothing(ledger: Ledger):
    token, _ = ledger.create()
    first = ledger.revoke(token.id)

    assert ledger.revoke(token.id) == first


@pytest.mark.parametrize("word", ["ci", "0123456789ab", "", "CI2"])
def test_revoke_what_is_not_there_is_said(ledger: Ledger, word: str):
    ledger.create("ci")
    ledger.revoke("ci")

    with pytest.raises(TokenNotFound, match=f"no token with the id '{word}'"):
        ledger.revoke(word)
