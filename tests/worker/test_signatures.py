"""Who may call: rows 19 and 20 of the faults."""

import time
from collections.abc import Callable, Mapping

import pytest
from running_worker import OLD_SECRET, SECRET, Client, Worker, make_order

from stemset.orders import signing

STRANGER = "c3RyYW5nZXIgc3RyYW5nZXIgc3RyYW5nZXIh"
BODY = make_order("job").line()


def signed(
    body: bytes = BODY,
    changed: Mapping[str, str] | None = None,
    *,
    secret: str = SECRET,
    off_s: float = 0.0,
) -> dict[str, str]:
    headers = signing.sign([secret], "message-1", body, time.time() + off_s)
    return {"content-type": "application/json", **headers, **(changed or {})}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in signed().items() if key != name}


BAD = {
    "unsigned": lambda: {"content-type": "application/json"},
    "no id": lambda: without(signing.ID),
    "no time": lambda: without(signing.TIMESTAMP),
    "no signature": lambda: without(signing.SIGNATURE),
    "wrong key": lambda: signed(secret=STRANGER),
    "one byte changed": lambda: signed(BODY.replace(b"fake", b"face")),
    "signature cut": lambda: signed(BODY, {signing.SIGNATURE: signed()[signing.SIGNATURE][:-2]}),
    "no base64": lambda: signed(BODY, {signing.SIGNATURE: "v1,!"}),
    "other version": lambda: signed(
        BODY, {signing.SIGNATURE: "v2" + signed()[signing.SIGNATURE][2:]}
    ),
    "other time": lambda: signed(BODY, {signing.TIMESTAMP: str(int(time.time()) - 7)}),
    "time in words": lambda: signed(BODY, {signing.TIMESTAMP: "now"}),
    "dot in id": lambda: signed(BODY, {signing.ID: "message.1"}),
    "other id": lambda: signed(BODY, {signing.ID: "message-2"}),
}


@pytest.mark.parametrize("headers", BAD.values(), ids=BAD.keys())
def test_order_badly_signed_is_refused_and_counted(
    worker: Worker, client: Client, headers: Callable[[], dict[str, str]]
):
    before = len(worker.log("Signature refused"))

    answer = client.post("/process", BODY, headers())

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "signature_invalid"
    assert answer.json()["error"]["retryable"] is False
    assert client.ready()["busy"] is False
    assert worker.log("Signature refused")[-1]["refused"] == before + 1


@pytest.mark.parametrize("off_s", [-600, 600])
def test_order_of_a_clock_that_is_off_is_refused_with_how_far(client: Client, off_s: int):
    answer = client.post("/process", BODY, signed(off_s=off_s))

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "clock_skewed"
    assert " s ahead" in answer.text or " s behind" in answer.text


@pytest.mark.parametrize("off_s", [-240, 240])
def test_order_of_a_clock_that_is_little_off_is_taken(client: Client, job_id: str, off_s: int):
    body = make_order(job_id).line()

    assert client.post("/process", body, signed(body, off_s=off_s)).status_code == 200


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_order_signed_with_either_secret_of_a_rotation_is_taken(
    client: Client, job_id: str, secret: str
):
    body = make_order(job_id).line()

    assert client.post("/process", body, signed(body, secret=secret)).status_code == 200


@pytest.mark.parametrize("subject", [("DELETE", "/process/other"), ("GET", "/process/job")])
def test_cancel_signed_for_something_else_is_refused(client: Client, subject: tuple[str, str]):
    headers = signed(signing.subject(*subject))

    answer = client.http.delete(client.url + "/process/job", headers=headers)

    assert answer.status_code == 401


def test_links_badly_signed_are_refused(client: Client):
    body = b'{"version":1,"kind":"links","job_id":"job","attempt":1,"urls":[]}'

    assert client.post("/process/job/links", body, signed(BODY)).status_code == 401


def test_health_needs_no_signature(client: Client):
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200
