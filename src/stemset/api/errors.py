"""What a call that is refused is answered with, and how a route's document says so.

Every such answer is ``{"error": {"code", "detail", "retryable", "request_id"}}``. The code is that
of a leaf of Stemset's error tree, or one of ``CODES`` for what HTTP itself refuses; the id is what
the log has of the call.
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from stemset.errors import (
    AttemptUsed,
    Cancelled,
    ClockSkewed,
    ConfigError,
    DatabaseError,
    DatabaseUnavailable,
    DecoderCrashed,
    EmailUnverified,
    ExportNotFound,
    Forbidden,
    InputError,
    Interrupted,
    InvalidCursor,
    InvalidKey,
    InvalidMix,
    InvalidOrder,
    InvalidStrategy,
    JobComplete,
    JobNotFound,
    JobOpen,
    LastAdmin,
    LicenceRefused,
    LinkExpired,
    MemberFromConfig,
    MemberNotFound,
    ModelDownloadFailed,
    ModelError,
    NoSpace,
    NotAMember,
    NotUploaded,
    ObjectExists,
    ObjectNotFound,
    OrderError,
    OriginRefused,
    OutputBusy,
    OutputError,
    OutputExists,
    OutputNameTaken,
    OutputNotFound,
    PairingRefused,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    RecordingNotFound,
    RemoteError,
    SeparationError,
    ServiceBusy,
    SignatureInvalid,
    SignInCancelled,
    SignInExpired,
    SignInFailed,
    StemsetError,
    StorageError,
    StorageUnavailable,
    TokenNotFound,
    Unauthenticated,
    UnknownModel,
    UnknownProfile,
    UnknownStrategy,
    UnsupportedFormat,
    UnsupportedVersion,
    UploadComplete,
    UploadIncomplete,
    UploadMismatch,
    UploadNotFound,
    UploadStalled,
    UploadTooLarge,
)
from stemset.telemetry import bound

BY_KIND: dict[type[StemsetError], int] = {
    # Not found, as far as the caller may know.
    ExportNotFound: 404,
    JobNotFound: 404,
    MemberNotFound: 404,
    NotUploaded: 404,
    ObjectNotFound: 404,
    OutputNotFound: 404,
    RecordingNotFound: 404,
    TokenNotFound: 404,
    UnknownModel: 404,
    UnknownProfile: 404,
    UnknownStrategy: 404,
    UploadNotFound: 404,
    # Who calls, and from where.
    ClockSkewed: 401,
    SignatureInvalid: 401,
    Unauthenticated: 401,
    EmailUnverified: 403,
    Forbidden: 403,
    LinkExpired: 403,
    NotAMember: 403,
    OriginRefused: 403,
    PairingRefused: 403,
    SignInCancelled: 403,
    SignInExpired: 403,
    SignInFailed: 403,
    # What is asked for cannot be, as things stand.
    AttemptUsed: 409,
    Cancelled: 409,
    JobComplete: 409,
    JobOpen: 409,
    LastAdmin: 409,
    MemberFromConfig: 409,
    ObjectExists: 409,
    OutputBusy: 409,
    OutputExists: 409,
    OutputNameTaken: 409,
    QuotaExceeded: 409,  # not 507, as WebDAV has it: the service has not failed
    UploadComplete: 409,
    UploadIncomplete: 409,
    # What arrived is not what it should be.
    InvalidOrder: 400,
    UnsupportedVersion: 400,
    UploadMismatch: 400,
    UploadStalled: 408,
    UploadTooLarge: 413,
    DecoderCrashed: 500,  # no fault of the recording's, as far as anybody knows
    InputError: 422,
    InvalidCursor: 422,
    InvalidKey: 422,
    InvalidMix: 422,
    InvalidStrategy: 422,
    LicenceRefused: 422,
    UnsupportedFormat: 422,
    # Not now.
    RateLimited: 429,
    DatabaseUnavailable: 503,
    Interrupted: 503,
    ModelDownloadFailed: 503,
    ProviderUnavailable: 503,
    ServiceBusy: 503,
    StorageUnavailable: 503,
    NoSpace: 507,
    # Somebody behind this service fails.
    OrderError: 502,
    RemoteError: 502,
    StorageError: 502,
    # The service itself, or its operator.
    ConfigError: 500,
    DatabaseError: 500,
    ModelError: 500,
    OutputError: 500,
    SeparationError: 500,
}
"""The status of every error; the first kind that fits decides."""

INTERNAL = "internal"
REQUEST_INVALID = "request_invalid"
CODES = {
    400: REQUEST_INVALID,
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    415: "media_type_unsupported",
    416: "range_unsatisfiable",
    422: REQUEST_INVALID,
}
"""Codes of what HTTP itself refuses, by status."""

DETAILS = {
    INTERNAL: "The service failed; its log says more.",
    REQUEST_INVALID: "The request is not what the document describes; the detail names the place.",
    "range_unsatisfiable": "The range begins beyond the end.",
    "request_timeout": "The request's body did not arrive in time.",
    "request_too_large": "The request's body is longer than the limit.",
}

RETRY_AFTER_S = 2

SCHEMA_NAME = "ErrorBody"


class ErrorDetail(BaseModel):
    """Why a call was refused.

    Attributes:
        code: A stable identifier for programs.
        detail: The message for people.
        retryable: Whether the same call can succeed later with nothing changed.
        request_id: What the service's log has of the call; to be quoted when asking for help.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str
    retryable: bool
    request_id: str | None = None


class ErrorBody(BaseModel):
    """The body of every answer with a status of 400 or more."""

    model_config = ConfigDict(frozen=True)

    error: ErrorDetail


def status_of(error: StemsetError) -> int:
    """The status of an error."""
    return next(status for kind, status in BY_KIND.items() if isinstance(error, kind))


def errors(*leaves: type[StemsetError]) -> dict[int | str, dict[str, Any]]:
    """What a route can refuse, for its ``responses``: an example of each code, by status.

    Args:
        leaves: Leaves of the error tree. What holds for every route alike (a token that is missing,
            a body that is too long, a database that is away) is added by ``openapi``.
    """
    answers: dict[int | str, dict[str, Any]] = {}
    for leaf in leaves:
        add_example(answers, status_of(leaf()), example_of(leaf))
    return answers


def example_of(leaf: type[StemsetError]) -> ErrorBody:
    """An example of a refusal with an error of the tree."""
    return _body(leaf.code, _first_line(leaf), retryable=leaf.retryable)


def http_example(status: int) -> ErrorBody:
    """An example of what HTTP itself refuses."""
    code = CODES.get(status, REQUEST_INVALID)
    return _body(code, DETAILS.get(code, HTTPStatus(status).phrase), retryable=False)


def add_example(answers: dict[Any, dict[str, Any]], status: int | str, body: ErrorBody) -> None:
    """Document one more refusal among answers that are keyed by status.

    Args:
        answers: A route's, or an operation's of the document; the one has numbers, the other texts.
        status: The key.
        body: The example.
    """
    answer = answers.setdefault(status, {"description": HTTPStatus(int(status)).phrase})
    content = answer.setdefault("content", {}).setdefault("application/json", {})
    content["schema"] = {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}
    example = {"summary": body.error.detail, "value": body.model_dump(exclude_none=True)}
    content.setdefault("examples", {})[body.error.code] = example


def refusal(error: StemsetError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer to a call that is refused with an error of the tree."""
    extra = dict(headers or {})
    if isinstance(error, RateLimited):
        extra["retry-after"] = str(math.ceil(error.after_s))
    if error.retryable:
        extra.setdefault("retry-after", str(RETRY_AFTER_S))
    if isinstance(error, Unauthenticated):
        extra["www-authenticate"] = "Bearer"
    body = _told(error.code, str(error), retryable=error.retryable)
    return JSONResponse(body, status_of(error), extra)


def http_refusal(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to a call that HTTP itself has a status for, or to one that failed (500)."""
    default = INTERNAL if status >= HTTPStatus.INTERNAL_SERVER_ERROR else REQUEST_INVALID
    code = CODES.get(status, default)
    return JSONResponse(_told(code, detail, retryable=code == INTERNAL), status, headers)


def _told(code: str, detail: str, *, retryable: bool) -> dict[str, Any]:
    """The body of an answer to the call that is being answered."""
    error = _body(code, detail, retryable=retryable).error
    named = error.model_copy(update={"request_id": bound("request_id")})
    return ErrorBody(error=named).model_dump(exclude_none=True)


def _body(code: str, detail: str, *, retryable: bool) -> ErrorBody:
    # What came in may hold lone surrogates, which no answer can.
    plain = detail.encode("utf-8", "replace").decode()
    return ErrorBody(error=ErrorDetail(code=code, detail=plain, retryable=retryable))


def _first_line(leaf: type[StemsetError]) -> str:
    return (leaf.__doc__ or leaf.code).strip().partition("\n")[0]
