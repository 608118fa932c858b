"""``stemset token`` as people and scripts call it."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from embedded_data import embedded_data
from program import Ended, Program

from stemset.jobs.caller import Caller, Scope
from stemset.jobs.database import Database
from stemset.jobs.tokens import authenticate
from stemset.postgres.cluster import Cluster, hold, running


class Tokens:
    """The command, for one database."""

    def __init__(self, folder: Path, conninfo: str):
        self._program = Program(folder)
        self._conninfo = conninfo

    def __call__(self, *arguments: object) -> Ended:
        return self._program("token", *arguments, env={"DATABASE_URL": self._conninfo})

    def made(self, *arguments: object) -> str:
        ended = self("create", *arguments)
        assert ended.code == 0, ended.err
        return ended.out.strip()

    def listed(self) -> list[dict[str, Any]]:
        ended = self("list", "--json")
        assert ended.err == ""
        return json.loads(ended.out)["tokens"]

    def holder(self, text: str) -> Caller:
        async def scenario() -> Caller:
            database = Database(self._conninfo)
            try:
                return await authenticate(database, text)
            finally:
                await database.close()

        return asyncio.run(scenario())


@pytest.fixture
def tokens(tmp_path: Path, database_conninfo: str) -> Tokens:
    return Tokens(tmp_path, database_conninfo)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    with embedded_data(tmp_path / "data") as folder:
        yield folder


def test_create_prints_the_token_alone_and_says_the_rest_aside(tokens: Tokens):
    ended = tokens("create", "ci")

    assert tokens.holder(ended.out.removesuffix("\n")).name == "ci"
    assert "Token 'ci' (scope write, every profile) is made; it expires on 20" in ended.err
    assert "it is not shown again" in ended.err
    assert ended.out.strip() not in ended.err


def test_create_with_options_limits_the_token(tokens: Tokens, tmp_path: Path):
    (tmp_path / "config.yaml").write_text(
        "profiles: [{name: h4n, source_folder: .}, {name: desk, source_folder: .}]"
    )

    text = tokens.made("anna", "--scope", "read", "--profile", "h4n", "--profile", "desk")

    caller = tokens.holder(text)
    assert (caller.name, caller.scope, caller.profiles) == ("anna", Scope.READ, {"h4n", "desk"})


@pytest.mark.parametrize(("text", "lifetime"), [("12h", 0.5), ("1d", 1), (None, 90)])
def test_create_expires_after_what_was_said(tokens: Tokens, text: str | None, lifetime: float):
    before = datetime.now(UTC)
    tokens.made("ci", *(["--expires", text] if text else []))
    after = datetime.now(UTC)

    expires_at = datetime.fromisoformat(tokens.listed()[0]["expires_at"])

    assert before <= expires_at - timedelta(days=lifetime) <= after


def test_create_that_never_expires_says_so(tokens: Tokens):
    ended = tokens("create", "ci", "--expires", "never")

    assert "it never expires" in ended.err
    assert tokens.listed()[0]["expires_at"] is None


def test_create_as_json_holds_all_and_the_text(tokens: Tokens):
    ended = tokens("create", "ci", "--json")

    printed = json.loads(ended.out)
    token = printed["token"]
    assert printed["schema_version"] == 1
    assert tokens.holder(token.pop("text")).id == token["id"]
    assert ended.err == ""
    token["used_at"] = tokens.listed()[0]["used_at"]
    assert tokens.listed() == [token]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ci", "--expires", "0d"], "--expires must be such as 12h, 90d, or never; got '0d'"),
        (["ci", "--expires", "soon"], "got 'soon'"),
        (["ci", "--expires", "-1d"], "got '-1d'"),
        (["ci", "--expires", "999999d"], "got '999999d'"),
        (["ci", "--scope", "root"], "'root' is not one of 'read', 'write', 'admin'"),
        (["ci", "--profile", "nope"], "There is no profile 'nope'"),
        ([""], "is no name of a token"),
        ([], "Missing argument"),
    ],
)
def test_create_with_a_mistake_is_refused_and_makes_nothing(
    tokens: Tokens, arguments: list[str], reason: str
):
    ended = tokens("create", *arguments)

    assert ended.code == 2
    assert reason in ended.err
    assert ended.out == ""
    assert tokens.listed() == []


def test_list_shows_states_and_no_secret(tokens: Tokens):
    texts = [tokens.made("ci"), tokens.made("anna", "--expires", "never"), tokens.made("old")]
    tokens.holder(texts[0])
    tokens("revoke", "old")

    ended = tokens("list")

    ci, anna, old = (ended.out.splitlines()[first] for first in (0, 3, 6))
    assert " ci (expires 20" in ci
    assert anna.endswith(" anna (never expires)")
    assert " old (revoked 20" in old
    assert "last used 20" in ended.out.splitlines()[2]
    assert "last used never" in ended.out.splitlines()[5]
    secrets = [text.split("_", 2)[2] for text in texts]  # a secret can hold such a line itself
    assert all(len(secret) > 20 for secret in secrets)
    assert not any(secret in ended.out for secret in secrets)


def test_list_of_no_tokens_says_how_to_make_one(tokens: Tokens):
    ended = tokens("list")

    assert (ended.code, ended.out) == (0, "")
    assert "To make one: stemset token create NAME" in ended.err


def test_revoke_names_the_token_and_the_next_time_there_is_none(tokens: Tokens):
    tokens.made("ci")
    token_id = tokens.listed()[0]["id"]

    ended = tokens("revoke", "ci")
    again = tokens("revoke", "ci")
    by_id = tokens("revoke", token_id, "--json")

    assert ended.code == 0
    assert f"Token 'ci' ({token_id}) is revoked" in ended.out
    assert again.code == 1
    assert "[token_not_found]" in again.err
    assert json.loads(by_id.out)["token"] == tokens.listed()[0]


def test_token_for_a_stopped_service_starts_its_database_and_stops_it(tmp_path: Path, data: Path):
    program = Program(tmp_path)

    made = program("token", "create", "ci", "--data", data)
    listed = program("token", "list", "--json", env={"STEMSET_DATA_DIR": str(data)})

    assert made.out.startswith("stm_")
    assert [token["name"] for token in json.loads(listed.out)["tokens"]] == ["ci"]
    assert listed.err == ""
    assert running(data) is None


def test_token_for_a_running_service_is_made_in_its_database(tmp_path: Path, data: Path):
    with hold(data, "a service"):
        cluster = Cluster(data)
        cluster.start()

        text = Program(tmp_path)("token", "create", "ci", "--data", data).out.strip()

        assert Tokens(tmp_path, cluster.conninfo).holder(text).name == "ci"
        assert running(data) == cluster.conninfo


def test_token_of_no_database_is_said_without_the_password(tmp_path: Path):
    url = "postgresql://band:s3cret@127.0.0.1:1/stemset"

    ended = Program(tmp_path)("token", "list", env={"DATABASE_URL": url})

    assert ended.code == 1
    assert "[database_unavailable]" in ended.err
    assert "s3cret" not in ended.err
