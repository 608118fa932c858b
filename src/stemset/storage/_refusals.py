"""What a store's refusal means: from S3's error codes and HTTP statuses to Stemset's errors.

S3 answers an error with a status and a small XML text that holds a ``<Code>``; an answer to HEAD
has the status alone. The text itself never goes into a message: it can hold what was signed.

Source: the error codes in the S3 API reference and in Cloudflare's for R2; Ceph's as observed.
"""

import re

from stemset.errors import (
    NoSpace,
    ObjectCorrupt,
    ObjectExists,
    ObjectNotFound,
    StemsetError,
    StorageRefused,
    StorageUnavailable,
)

_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")

_CHECK_KEYS = "check R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY"
_CHECK_BUCKET = "check R2_BUCKET_NAME"
_CHECK_CLOCK = "set this machine's clock (NTP)"
_CHECK_PLACE = "check R2_BUCKET_NAME and STEMSET_S3_ENDPOINT"
_CHECK_RIGHTS = (
    "check R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY, R2_BUCKET_NAME, and that this key may read and "
    "write there"
)
# What a person can do about a refusal.
_ADVICE = {
    "AccessDenied": _CHECK_RIGHTS,
    "AllAccessDisabled": _CHECK_RIGHTS,
    "AuthorizationHeaderMalformed": "check STEMSET_S3_REGION",
    "ExpiredToken": _CHECK_KEYS,
    "IllegalLocationConstraintException": "check STEMSET_S3_REGION",
    "InvalidAccessKeyId": _CHECK_KEYS,
    "InvalidBucketName": _CHECK_BUCKET,
    "InvalidRegionName": "check STEMSET_S3_REGION",
    "NoSuchBucket": _CHECK_BUCKET,
    "PermanentRedirect": "check STEMSET_S3_ENDPOINT and STEMSET_S3_REGION",
    "RequestExpired": _CHECK_CLOCK,
    "RequestTimeTooSkewed": _CHECK_CLOCK,
    "SignatureDoesNotMatch": _CHECK_KEYS,
    "Unauthorized": _CHECK_KEYS,
    "UnauthorizedAccess": _CHECK_RIGHTS,
}
_BY_CODE: dict[str, type[StemsetError]] = {
    "NoSuchKey": ObjectNotFound,
    "NoSuchUpload": ObjectNotFound,
    "PreconditionFailed": ObjectExists,
    "InvalidPart": ObjectCorrupt,
    "InvalidPartOrder": ObjectCorrupt,
    "InvalidRange": ObjectCorrupt,
    "InsufficientCapacity": NoSpace,
    "InsufficientStorage": NoSpace,
    "QuotaExceeded": NoSpace,
    "XMinioStorageFull": NoSpace,
}
_BY_STATUS: dict[int, type[StemsetError]] = {
    404: ObjectNotFound,
    412: ObjectExists,
    416: ObjectCorrupt,
    507: NoSpace,
}
# Refusals that pass by themselves; all of 5xx are such.
_PASSING_STATUSES = {408, 425, 429}
_PASSING_CODES = {"ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "SlowDown"}
_NO_RIGHTS = {401, 403}
_CLIENT_ERRORS = range(300, 500)  # a redirect is never followed, so it is a refusal


def code_in(text: str) -> str:
    """The ``<Code>`` of an answer, empty if it has none."""
    found = _CODE.search(text)
    return found[1] if found else ""


def passes(status: int, code: str) -> bool:
    """Whether the same call can succeed in a moment."""
    if _BY_CODE.get(code) is NoSpace or _BY_STATUS.get(status) is NoSpace:
        return False
    return status not in _CLIENT_ERRORS or status in _PASSING_STATUSES or code in _PASSING_CODES


def refusal(status: int, code: str, what: str) -> StemsetError:
    """The error that an answer stands for.

    Args:
        status: HTTP status, 0 if it is not known.
        code: S3's error code, empty if it is not known.
        what: What was asked for: a key, or a file's name.
    """
    answer = " ".join(part for part in (str(status or ""), code) if part) or "no answer"
    kind = _kind(status, code)
    if kind is NoSpace:
        return NoSpace(f"The bucket takes no more: {what} could not be stored ({answer}).")
    if kind is ObjectNotFound:
        return ObjectNotFound(f"There is no object {what!r}.")
    if kind is ObjectExists:
        return ObjectExists(f"There is an object {what!r} with other content.")
    if kind is ObjectCorrupt:
        return ObjectCorrupt(f"{what} is shorter or has other parts than it must ({answer}).")
    if kind is StorageUnavailable:
        return StorageUnavailable(f"The bucket cannot serve {what} now ({answer}).")
    return StorageRefused(f"The bucket refuses {what} ({answer}): {_advice(status, code)}.")


def _kind(status: int, code: str) -> type[StemsetError]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code in _ADVICE:
        return StorageRefused
    if passes(status, code):
        return StorageUnavailable
    return _BY_STATUS.get(status, StorageRefused)


def _advice(status: int, code: str) -> str:
    return _ADVICE.get(code) or (_CHECK_RIGHTS if status in _NO_RIGHTS else _CHECK_PLACE)
