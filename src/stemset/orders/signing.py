"""Signatures after Standard Webhooks: HMAC-SHA256 over id, time and body.

A signed call carries ``webhook-id`` (the same when it is repeated), ``webhook-timestamp`` (s) and
``webhook-signature``. What is signed is the body; for a call without one it is ``subject``: the
method and the path. A time more than five minutes off is refused, so a recorded call cannot be
replayed later; within that time a replay joins the attempt that it started.

Source: the Standard Webhooks specification, standardwebhooks.com.
"""

import base64
import binascii
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook, WebhookVerificationError

from stemset.errors import ClockSkewed, SignatureInvalid

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

TOLERANCE_S = 300
MIN_SECRET_BYTES = 24
HOW_TO_MAKE_A_SECRET = "Make one with: openssl rand -base64 32"  # noqa: S105 - an instruction

_PREFIX = "whsec_"


def is_secret(text: str) -> bool:
    """Whether a text is base64 of enough bytes to be a secret, with or without ``whsec_``."""
    try:
        raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        return False
    return len(raw) >= MIN_SECRET_BYTES


def sign(secrets: Sequence[str], message_id: str, body: bytes, now_s: float) -> dict[str, str]:
    """Headers that sign a body with the first secret; none without a secret.

    Args:
        secrets: The shared secrets, the signing one first.
        message_id: The same whenever this message is repeated; holds no ``.``.
        body: What is signed, as UTF-8.
        now_s: The time, s since 1970.

    Raises:
        ValueError: The id or the body is not such.
    """
    if not secrets:
        return {}
    if "." in message_id:
        raise ValueError("a message id holds no '.'")
    moment = datetime.fromtimestamp(int(now_s), tz=UTC)
    return {
        ID: message_id,
        TIMESTAMP: str(int(now_s)),
        SIGNATURE: Webhook(secrets[0]).sign(message_id, moment, body.decode()),
    }


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> None:
    """Check a signed call.

    Args:
        secrets: Secrets that are accepted.
        headers: The call's headers, with names in lower case.
        body: The body, byte for byte.

    Raises:
        ClockSkewed: The time is more than five minutes from this machine's; the message says how
            far.
        SignatureInvalid: A header is missing or malformed, or no secret fits.
    """
    message_id, stamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not message_id or not stamp or not headers.get(SIGNATURE):
        raise SignatureInvalid(
            f"The call is not signed: it must carry {ID}, {TIMESTAMP}, {SIGNATURE}."
        )
    if "." in message_id:
        raise SignatureInvalid(f"{ID} may hold no '.'.")
    _check_time(stamp)
    known = {name: headers[name] for name in (ID, TIMESTAMP, SIGNATURE)}
    for secret in secrets:
        try:
            Webhook(secret).verify(body, known, json_parse=False)
        except (WebhookVerificationError, ValueError):  # the library lets malformed parts through
            continue
        return
    raise SignatureInvalid("The call is signed with another secret, or was changed on its way.")


def subject(method: str, path: str) -> bytes:
    """What is signed of a call without a body."""
    return f"{method} {path}".encode()


def _check_time(stamp: str) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):  # noqa: PLR2004
        raise SignatureInvalid(f"{TIMESTAMP} must be whole seconds since 1970.")
    off_s = int(stamp) - time.time()
    if abs(off_s) > TOLERANCE_S:
        when = "ahead of" if off_s > 0 else "behind"
        raise ClockSkewed(
            f"The call's time is {abs(off_s):.0f} s {when} this machine's clock; "
            f"{TOLERANCE_S} s are tolerated. Set both clocks (NTP)."
        )
