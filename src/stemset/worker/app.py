"""The worker's routes.

| | |
| --- | --- |
| ``POST /process`` | takes or joins an order; a stream of its reports, a JSON line each |
| ``POST /process/{job_id}/links`` | presigned URLs that an attempt wants |
| ``DELETE /process/{job_id}`` | cancels; repeatable |
| ``POST /check`` | what it works with, and whether it reaches the service that it is to call back |
| ``GET /livez`` | the process lives |
| ``GET /readyz`` | it can take an order, and whether it is at one |
| ``GET /metrics`` | what it counts, for Prometheus |

A client that goes away cancels nothing. Signed are the body's bytes, of a call without a body its
method and path.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from stemset import __version__
from stemset.errors import InvalidOrder, StemsetError, Unauthenticated
from stemset.metrics import CONTENT_TYPE, exposition, may_read
from stemset.orders.checks import parse_check
from stemset.orders.messages import (
    MAX_MESSAGE_BYTES,
    Failure,
    Report,
    parse_links,
    parse_order,
)
from stemset.orders.signing import subject
from stemset.serving.loopback import LoopbackNamesOnly
from stemset.telemetry import bind, get_logger
from stemset.worker import metrics
from stemset.worker.admission import Admission
from stemset.worker.answers import http_refusal, job_unknown, not_loopback, refusal, status_of
from stemset.worker.attempts import Attempts, about
from stemset.worker.checkup import Checkup

_log = get_logger("worker")

REPEAT_S = 10.0
"""The latest report is repeated when nothing new came for so long: platforms and proxies close a
connection on which nothing moves."""

_DRAINED_BYTES = 16 * MAX_MESSAGE_BYTES
_BODY_WITHIN_S = 30.0
_CLOSE = {"connection": "close"}
_NOT_KEPT = {"cache-control": "no-store"}
_STREAM = {"x-accel-buffering": "no", **_NOT_KEPT}

CheckSignature = Callable[[Request, bytes], None]


def make_app(
    admission: Admission,
    attempts: Attempts,
    checkup: Checkup,
    *,
    repeat_s: float = REPEAT_S,
    metrics_token: str | None = None,
) -> ASGIApp:
    """Build the worker's application.

    Args:
        admission: What is taken.
        attempts: Who takes it.
        checkup: Who answers what is asked about the worker itself.
        repeat_s: The latest report is repeated when nothing new came for so long.
        metrics_token: What metrics are read with. Without one a worker that others may call gives
            none away.
    """
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    _answer_errors(app, attempts)
    _add_health(app, attempts)
    _add_metrics(app, attempts, metrics_token, is_open=not admission.secrets)
    check_signature = _signature_check(admission)
    _add_work(app, admission, attempts, check_signature, repeat_s)
    _add_check(app, checkup, check_signature)
    return app if admission.secrets else LoopbackNamesOnly(app, not_loopback)


def _signature_check(admission: Admission) -> CheckSignature:
    """What counts and logs calls that are not signed as they must be, and refuses them."""
    refused = itertools.count(1)

    def check_signature(request: Request, signed: bytes) -> None:
        try:
            admission.check_signature(request.headers, signed)
        except StemsetError as error:
            metrics.SIGNATURES_REFUSED.labels(error.code).inc()
            _log.warning(
                "Signature refused", code=error.code, path=request.url.path, refused=next(refused)
            )
            raise

    return check_signature


def _add_work(
    app: FastAPI,
    admission: Admission,
    attempts: Attempts,
    check_signature: CheckSignature,
    repeat_s: float,
) -> None:
    @app.post("/process")
    async def process(request: Request) -> Response:
        body = await _read_json(request)
        check_signature(request, body)
        order = parse_order(body)
        with about(order):
            try:
                admission.check_order(order)
            except StemsetError as error:
                metrics.ORDERS.labels("refused").inc()
                _log.warning("Order refused", code=error.code, detail=str(error))
                raise
            reports = attempts.take(order)
        lines = _lines(reports.follow(repeat_s))
        return StreamingResponse(lines, headers=_STREAM, media_type="application/x-ndjson")

    @app.post("/process/{job_id}/links")
    async def links(request: Request, job_id: str) -> Response:
        body = await _read_json(request)
        check_signature(request, body)
        answer = parse_links(body)
        admission.check_links(answer)
        if answer.job_id != job_id:
            raise InvalidOrder(f"The links are for job {answer.job_id}, not {job_id}.")
        with bind(job_id=answer.job_id, attempt=answer.attempt):
            known = await attempts.answer(answer)
        return JSONResponse({"status": "taken"}) if known else job_unknown(job_id)

    @app.delete("/process/{job_id}")
    async def cancel(request: Request, job_id: str) -> Response:
        check_signature(request, subject("DELETE", f"/process/{job_id}"))
        with bind(job_id=job_id):
            report = attempts.cancel(job_id)
        if report is None:
            return job_unknown(job_id)
        status = 200 if report.is_last else 202
        return JSONResponse({"job_id": job_id, "status": report.status}, status)


def _add_check(app: FastAPI, checkup: Checkup, check_signature: CheckSignature) -> None:
    @app.post("/check")
    async def check(request: Request) -> Response:
        body = await _read_json(request)
        check_signature(request, body)
        answer = await checkup.answer(parse_check(body))
        return Response(answer.line(), headers=_NOT_KEPT, media_type="application/json")


def _add_metrics(app: FastAPI, attempts: Attempts, token: str | None, *, is_open: bool) -> None:
    @app.get("/metrics")
    async def shown(request: Request) -> Response:
        needs_none = is_open and token is None
        if not needs_none and not may_read(request.headers.get("authorization"), token):
            raise Unauthenticated(
                "Metrics are read with the token of STEMSET_METRICS_TOKEN: Authorization: Bearer …"
            )
        metrics.READY.set(attempts.ready is not None)
        metrics.BUSY.set(attempts.running is not None)
        return Response(exposition(), media_type=CONTENT_TYPE)


def _add_health(app: FastAPI, attempts: Attempts) -> None:
    @app.api_route("/livez", methods=["GET", "HEAD"])
    async def livez() -> Response:
        return JSONResponse({"status": "alive"})

    @app.api_route("/readyz", methods=["GET", "HEAD"])
    async def readyz() -> Response:
        running, ready = attempts.running, attempts.ready
        facts = {
            "status": "ready" if ready else "not_ready",
            "busy": running is not None,
            "job_id": running.job_id if running else None,
            "device": ready.device if ready else None,
            "version": __version__,
        }
        return JSONResponse(facts, *((200, None) if ready else (503, {"retry-after": "1"})))


def _answer_errors(app: FastAPI, attempts: Attempts) -> None:
    @app.exception_handler(StemsetError)
    async def refused(_request: Request, error: StemsetError) -> Response:
        status = status_of(error)
        again = {"retry-after": str(attempts.retry_after_s)} if error.retryable else None
        return refusal(Failure.of(error), status, again)

    @app.exception_handler(HTTPException)
    async def refused_by_http(_request: Request, error: HTTPException) -> Response:
        return http_refusal(error)

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> Response:
        failure = Failure(code="internal", detail="The worker failed; see its log.", retryable=True)
        return refusal(failure, 500)


async def _read_json(request: Request) -> bytes:
    """Read a body, byte for byte, if it says that it is JSON.

    A web page cannot say so to another server without asking that server first, and this one does
    not agree: so a page that is open on this machine cannot order work on loopback.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, f"Content-Type must be application/json, got {kind!r}.")
    try:
        async with asyncio.timeout(_BODY_WITHIN_S):
            return await _read_limited(request)
    except TimeoutError:
        detail = f"The body did not arrive within {_BODY_WITHIN_S:.0f} s."
        raise HTTPException(408, detail, _CLOSE) from None


async def _read_limited(request: Request) -> bytes:
    """Read up to the limit; somewhat more is read and dropped, so that the answer arrives."""
    body = bytearray()
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= MAX_MESSAGE_BYTES:
            body += part
        elif size > _DRAINED_BYTES:
            break
    if size > MAX_MESSAGE_BYTES:
        detail = f"The body is longer than {MAX_MESSAGE_BYTES} bytes."
        raise HTTPException(413, detail, _CLOSE if size > _DRAINED_BYTES else None)
    return bytes(body)


async def _lines(reports: AsyncIterator[Report]) -> AsyncIterator[bytes]:
    async for report in reports:
        yield report.line()
