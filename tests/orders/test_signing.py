import base64
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from stemset.errors import ClockSkewed, SignatureInvalid
from stemset.orders.signing import (
    ID,
    MIN_SECRET_BYTES,
    SIGNATURE,
    TIMESTAMP,
    is_secret,
    sign,
    subject,
    verify,
)

OLD, NEW, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in range(3))
BODY = json.dumps({"job_id": "job", "name": "Prøve – 3"}, ensure_ascii=False).encode()

calm = settings(deadline=None)  # other work on the machine is no failure
secrets = st.binary(min_size=MIN_SECRET_BYTES, max_size=64).map(
    lambda raw: base64.b64encode(raw).decode()
)
ids = st.text(
    st.characters(codec="ascii", categories=("L", "N"), include_characters="-_"), min_size=1
)
bodies = st.text().map(str.encode)


def signed(body: bytes = BODY, *, off_s: float = 0, secret: str = NEW) -> dict[str, str]:
    return sign([secret], "job-1", body, time.time() + off_s)


@calm
@given(secret=secrets, message_id=ids, body=bodies)
def test_signature_any_body_is_accepted_here_and_by_the_library(
    secret: str, message_id: str, body: bytes
):
    headers = sign([secret], message_id, body, time.time())

    verify([secret], headers, body)
    Webhook(secret).verify(body, headers, json_parse=False)
    assert headers[ID] == message_id


@calm
@given(secret=secrets, message_id=ids, body=bodies)
def test_signature_made_by_the_library_is_accepted(secret: str, message_id: str, body: bytes):
    now = datetime.now(UTC).replace(microsecond=0)
    text = Webhook(secret).sign(message_id, now, body.decode())
    headers = {ID: message_id, TIMESTAMP: str(int(now.timestamp())), SIGNATURE: text}

    verify([secret], headers, body)


@calm
@given(data=st.data(), body=st.text(min_size=1).map(str.encode))
def test_signature_one_changed_byte_is_refused(data: st.DataObject, body: bytes):
    headers = signed(body)
    place = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(byte != body[place])

    with pytest.raises(SignatureInvalid):
        verify([NEW], headers, body[:place] + bytes([byte]) + body[place + 1 :])


@calm
@given(data=st.data())
def test_signature_one_changed_character_of_a_header_is_refused(data: st.DataObject):
    headers = signed()
    name = data.draw(st.sampled_from([ID, TIMESTAMP]))
    place = data.draw(st.integers(0, len(headers[name]) - 1))
    character = data.draw(st.characters(codec="latin-1"))
    assume(character != headers[name][place])
    text = headers[name][:place] + character + headers[name][place + 1 :]

    with pytest.raises((SignatureInvalid, ClockSkewed)):
        verify([NEW], {**headers, name: text}, BODY)


@calm
@given(
    texts=st.fixed_dictionaries({}, optional=dict.fromkeys((ID, TIMESTAMP, SIGNATURE), st.text()))
)
def test_signature_malformed_headers_are_refused_and_nothing_else_is_raised(texts: dict[str, str]):
    with pytest.raises((SignatureInvalid, ClockSkewed)):
        verify([NEW], texts, BODY)


@calm
@given(text=st.text() | st.from_regex(r"\A(v1a?,[A-Za-z0-9+/=]{0,8} ?){1,4}\Z"))
def test_signature_malformed_signature_of_this_moment_is_refused(text: str):
    with pytest.raises(SignatureInvalid):
        verify([NEW], {**signed(), SIGNATURE: text}, BODY)


@calm
@given(body=st.binary())
def test_signature_of_another_body_even_if_it_is_no_text_is_refused(body: bytes):
    assume(body != BODY)

    with pytest.raises(SignatureInvalid):
        verify([NEW], signed(), body)


def test_signature_with_another_secret_is_refused():
    with pytest.raises(SignatureInvalid, match="another secret, or was changed"):
        verify([OTHER], signed(), BODY)


def test_signature_without_any_secret_to_check_with_is_refused():
    with pytest.raises(SignatureInvalid):
        verify([], signed(), BODY)


@pytest.mark.parametrize("signer", [OLD, NEW])
def test_signature_while_secrets_are_replaced_both_are_accepted(signer: str):
    verify([NEW, OLD], signed(secret=signer), BODY)


def test_signature_is_made_with_the_first_secret():
    headers = sign([NEW, OLD], "job-1", BODY, time.time())

    verify([NEW], headers, BODY)
    with pytest.raises(SignatureInvalid):
        verify([OLD], headers, BODY)


def test_signature_list_that_holds_a_fitting_one_is_accepted():
    headers = signed()
    other = signed(secret=OTHER)[SIGNATURE]

    verify([NEW], {**headers, SIGNATURE: f"{other} {headers[SIGNATURE]}"}, BODY)


@pytest.mark.parametrize("secret", [NEW, f"whsec_{NEW}"])
def test_secret_prefix_changes_nothing(secret: str):
    verify([NEW], signed(secret=secret), BODY)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_signature_four_minutes_off_is_accepted(minutes: int):
    verify([NEW], signed(off_s=60 * minutes), BODY)


@pytest.mark.parametrize(("minutes", "words"), [(-10, "behind"), (10, "ahead of")])
def test_signature_ten_minutes_off_is_refused_with_both_numbers(minutes: int, words: str):
    headers = signed(off_s=60 * minutes)

    with pytest.raises(ClockSkewed, match=rf"(599|600|601) s {words} .*; 300 s are tolerated"):
        verify([NEW], headers, BODY)


def test_signature_of_another_moment_is_refused():
    headers = signed()

    with pytest.raises(SignatureInvalid):
        verify([NEW], {**headers, TIMESTAMP: str(int(headers[TIMESTAMP]) - 1)}, BODY)


@pytest.mark.parametrize("stamp", ["", "now", "1e9", "-1", "1.5", "١٢٣", " 1", "9" * 13, "nan"])
def test_timestamp_that_is_no_number_of_seconds_is_refused(stamp: str):
    with pytest.raises(SignatureInvalid):
        verify([NEW], {**signed(), TIMESTAMP: stamp}, BODY)


def test_id_with_a_dot_is_refused_on_both_sides():
    # "a.1" at 2 s would sign the same bytes as "a" at "1.2" s
    with pytest.raises(ValueError, match=r"holds no '\.'"):
        sign([NEW], "job.1", BODY, time.time())
    now = datetime.now(UTC).replace(microsecond=0)
    text = Webhook(NEW).sign("job.1", now, BODY.decode())
    headers = {ID: "job.1", TIMESTAMP: str(int(now.timestamp())), SIGNATURE: text}
    with pytest.raises(SignatureInvalid, match=r"may hold no '\.'"):
        verify([NEW], headers, BODY)


def test_sign_without_a_secret_signs_nothing():
    assert sign([], "job-1", BODY, time.time()) == {}


def test_subject_of_one_call_is_not_that_of_another():
    headers = signed(subject("DELETE", "/process/job"))

    verify([NEW], headers, b"DELETE /process/job")
    with pytest.raises(SignatureInvalid):
        verify([NEW], headers, subject("DELETE", "/process/other"))


def test_library_alone_would_let_malformed_parts_through_as_other_errors():
    # the reason for catching ValueError; if this fails, the library has changed
    with pytest.raises(ValueError, match="not enough values"):
        Webhook(NEW).verify(BODY, {**signed(), SIGNATURE: "v1"}, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, {**signed(), SIGNATURE: "v2,x"}, json_parse=False)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (NEW, True),
        (f"whsec_{NEW}", True),
        (base64.b64encode(b"x" * MIN_SECRET_BYTES).decode(), True),
        (base64.b64encode(b"x" * (MIN_SECRET_BYTES - 1)).decode(), False),
        ("", False),
        ("whsec_", False),
        ("correct horse battery staple correct horse", False),
        (NEW[:-1], False),
        (f"{NEW}\n", False),
        ("ü" * 40, False),
    ],
)
def test_is_secret_takes_base64_of_enough_bytes_only(text: str, is_one: bool):
    assert is_secret(text) is is_one
