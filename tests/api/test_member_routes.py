"""Who may sign in, as admins see and change it."""

import json

import httpx
import pytest
from service_client import RunningService

from stemset.jobs.caller import Scope

ANNA = "/api/members/anna@example.org"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_admin_adds_changes_and_removes_a_member(running: RunningService):
    client = running.client
    made = client.put(ANNA, json={"profiles": ["h4n"]}).json()
    assert made.pop("added_at")
    assert made.pop("id").startswith("m_")
    assert made == {
        "email": "anna@example.org",
        "role": "member",
        "profiles": ["h4n"],
        "from_config": False,
        "name": None,
        "signed_in_at": None,
        "sessions": 0,
    }
    assert (
        client.put(ANNA.upper().replace("/API/MEMBERS", "/api/members"), json={}).json()["profiles"]
        is None
    )
    assert [each["email"] for each in client.get("/api/members").json()["members"]] == [
        "anna@example.org"
    ]

    assert client.delete(f"{ANNA}/sessions").status_code == 204
    assert client.delete(ANNA).status_code == 204

    assert client.get("/api/members").json() == {"members": []}
    assert code(client.delete(ANNA)) == (404, "member_not_found")
    assert code(client.delete(f"{ANNA}/sessions")) == (404, "member_not_found")
    done = [each["action"] for each in client.get("/api/audit").json()["entries"]]
    assert done == ["member_removed", "signed_out_everywhere", "member_put", "member_put"]


def test_last_admin_is_kept(running: RunningService):
    running.client.put(ANNA, json={"role": "admin"})

    assert code(running.client.delete(ANNA)) == (409, "last_admin")
    assert code(running.client.put(ANNA, json={"role": "member"})) == (409, "last_admin")


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE])
def test_who_is_no_admin_neither_sees_nor_changes_members(guarded: RunningService, scope: Scope):
    with guarded.caller(guarded.make_token(scope)) as client:
        for answer in (
            client.get("/api/members"),
            client.put(ANNA, json={"role": "admin"}),
            client.delete(ANNA),
            client.delete(f"{ANNA}/sessions"),
            client.get("/api/audit"),
        ):
            assert code(answer) == (403, "forbidden")


@pytest.mark.parametrize(
    ("email", "body"),
    [
        ("anna", {}),
        ("a%20b@c", {}),
        ("a%00@b", {}),
        ("%F0%9F%92%A9", {}),
        ("anna@example.org", {"role": "king"}),
        ("anna@example.org", {"profiles": []}),
        ("anna@example.org", {"profiles": "h4n"}),
        ("anna@example.org", []),
    ],
)
def test_membership_that_cannot_be_is_refused(client: httpx.Client, email: str, body: object):
    answer = client.put(f"/api/members/{email}", content=json.dumps(body))

    assert answer.status_code == 422, answer.text


def test_profile_that_is_none_is_refused(client: httpx.Client):
    assert code(client.put(ANNA, json={"profiles": ["none"]})) == (404, "profile_unknown")


@pytest.mark.parametrize(
    "query", ["before=0", "before=x", "limit=0", "limit=201", f"before={2**63}"]
)
def test_audit_log_is_asked_for_within_bounds(client: httpx.Client, query: str):
    assert client.get(f"/api/audit?{query}").status_code == 422
