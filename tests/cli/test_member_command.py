"""``stemset member`` and ``stemset audit`` as people and scripts call them."""

import json
from pathlib import Path

import pytest
from ledger_steps import LedgerSteps
from program import Ended, Program

from stemset.jobs import audit, members, sessions
from stemset.jobs.audit import Action, Actor

ANNA = "anna@example.org"
# Nothing listens there: what is refused is refused before the database is asked.
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
SIGN_IN = {
    "STEMSET_OIDC_ISSUER": "https://accounts.google.com",
    "STEMSET_OIDC_CLIENT_ID": "id",
    "STEMSET_PUBLIC_URL": "https://stems.example",
}


class Command:
    """The command, for one database."""

    def __init__(self, folder: Path, conninfo: str):
        self._program = Program(folder)
        self.ledger = LedgerSteps(conninfo)

    def __call__(self, *arguments: object, **environ: str) -> Ended:
        return self._program(*arguments, env={"DATABASE_URL": self.ledger.conninfo, **environ})


@pytest.fixture
def command(tmp_path: Path, database_conninfo: str) -> Command:
    return Command(tmp_path, database_conninfo)


def test_member_is_added_listed_signed_out_and_removed(command: Command):
    added = command("member", "add", "Anna@example.org", "--profile", "default")
    assert (added.code, added.out) == (0, f"{ANNA} may sign in: member, only default.\n")
    assert "STEMSET_OIDC_ISSUER is not set" in added.err
    anna = command.ledger.do(lambda c: members.find(c, ANNA))
    command.ledger.do(lambda c: sessions.begin(c, anna, "flow"))

    listed = command("member", "list")
    assert listed.out.splitlines() == [
        f"{ANNA} member, only default",
        "  last signed in never   signed in with 1 browser now",
    ]
    out = command("member", "sign-out", ANNA)
    assert out.out == f"{ANNA} is signed out of 1 browser: within seconds.\n"
    removed = command("member", "remove", ANNA)
    assert "may sign in no more" in removed.out
    assert "stemset member add" in command("member", "list").err

    log = command("audit")
    actions = [line.partition(": ")[2] for line in log.out.splitlines()]
    assert actions == [
        f"member put {ANNA} (role member, profiles ['default'])",
        f"signed out everywhere {ANNA} (sessions 1)",
        f"member removed {ANNA}",
    ]


def test_member_is_told_to_programs_as_json(command: Command):
    added = json.loads(command("member", "add", ANNA, "--role", "admin", "--json").out)
    assert added["member"]["role"] == "admin"
    (listed,) = json.loads(command("member", "list", "--json").out)["members"]
    assert (listed["email"], listed["sessions"]) == (ANNA, 0)
    assert json.loads(command("member", "sign-out", ANNA, "--json").out)["ended"] == 0

    entries = json.loads(command("audit", "--json", "--limit", "1").out)["entries"]

    assert [each["action"] for each in entries] == ["signed_out_everywhere"]
    assert entries[0]["actor"].endswith("(command)")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "anna"), "'anna' is no e-mail address"),
        (("add", ANNA, "--profile", "none"), "There is no profile 'none'"),
        (("remove", ANNA), "is no member's address"),
        (("sign-out", ANNA), "is no member's address"),
    ],
)
def test_member_that_cannot_be_is_named(command: Command, arguments: tuple[str, ...], said: str):
    ended = command("member", *arguments)

    assert ended.code != 0
    assert said in ended.err


def test_name_in_the_audit_log_cannot_move_the_cursor(command: Command):
    actor = Actor("\x1b[2J\u202eanna", address="127.0.0.1")
    command.ledger.do(lambda c: audit.note(c, actor, Action.OUTPUT_DELETED, "take\n1"))
    command("token", "create", "ci")

    deleted, created = command("audit").out.splitlines()

    assert deleted.endswith("UTC  �[2J�anna from 127.0.0.1: output deleted take�1")
    assert created.endswith("(command): token created ci (scope write, profiles None)")


def test_service_with_sign_in_takes_no_door_for_phones(tmp_path: Path):
    ended = Program(tmp_path)(
        *("serve", "--port", "0", "--data", "data", "--lan"),
        env={"DATABASE_URL": NO_DATABASE, **SIGN_IN},
    )

    assert ended.code == 2
    assert "leave --lan out" in ended.err
