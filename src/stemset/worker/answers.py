"""What a call that is refused is answered with: a status, a stable code, words for people."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from stemset.errors import (
    ClockSkewed,
    Interrupted,
    InvalidKey,
    InvalidOrder,
    OrderError,
    SignatureInvalid,
    StemsetError,
    Unauthenticated,
    WorkerBusy,
    WorkerRefused,
)
from stemset.orders.messages import Failure

JOB_UNKNOWN = "job_unknown"

BY_KIND: dict[type[StemsetError], int] = {
    SignatureInvalid: 401,
    ClockSkewed: 401,
    Unauthenticated: 401,
    WorkerBusy: 409,
    WorkerRefused: 421,
    Interrupted: 503,
    InvalidKey: 400,
    OrderError: 400,
}
"""The first kind that fits decides; any other error is one of the worker's own: 500."""

_CODES = {404: "not_found", 405: "method_not_allowed", 408: "request_timeout"}


def refusal(
    failure: Failure, status: int, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An answer that says no."""
    return JSONResponse({"error": failure.model_dump()}, status, headers)


def status_of(error: StemsetError) -> int:
    """The status of an error."""
    return next((status for kind, status in BY_KIND.items() if isinstance(error, kind)), 500)


def http_refusal(error: HTTPException) -> JSONResponse:
    """The answer to a call that HTTP itself has a status for."""
    code = _CODES.get(error.status_code, InvalidOrder.code)
    failure = Failure(code=code, detail=error.detail, retryable=False)
    return refusal(failure, error.status_code, error.headers)


def not_loopback(host: str) -> JSONResponse:
    """The answer to a call that could be a web page's."""
    error = WorkerRefused(f"This worker takes calls to loopback only, not to {host!r}.")
    return refusal(Failure.of(error), status_of(error))


def job_unknown(job_id: str) -> JSONResponse:
    """The answer about a job that this worker has not, or no longer remembers."""
    detail = f"This worker knows no running attempt at job {job_id}."
    return refusal(Failure(code=JOB_UNKNOWN, detail=detail, retryable=False), 404)
