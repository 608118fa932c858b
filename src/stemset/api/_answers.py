"""Errors, whatever their kind, as answers in the one form that there is."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from stemset.api import metrics
from stemset.api.errors import DETAILS, INTERNAL, http_refusal, refusal
from stemset.errors import (
    ClockSkewed,
    Forbidden,
    OriginRefused,
    PairingRefused,
    SignatureInvalid,
    StemsetError,
    Unauthenticated,
)
from stemset.telemetry import bound, get_logger

_log = get_logger("api")

_OF_SIGNATURES = (SignatureInvalid, ClockSkewed)
_WATCHED = (Unauthenticated, Forbidden, OriginRefused, PairingRefused, *_OF_SIGNATURES)
_FAILED = 500
_NO_SUCH_METHOD = 405
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_NAMED_AT_MOST = 5
_LONGEST = 300


def answer_errors(app: FastAPI) -> None:
    """Answer all errors of an application."""

    @app.exception_handler(StemsetError)
    async def refused(_request: Request, error: StemsetError) -> Response:
        return answer(error)

    @app.exception_handler(HTTPException)
    async def refused_by_http(request: Request, error: HTTPException) -> Response:
        headers = _allow(request) if error.status_code == _NO_SUCH_METHOD else error.headers
        return http_refusal(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        return http_refusal(422, _described(error.errors()))

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return http_refusal(400, "The client went away.")  # nobody reads it

    @app.exception_handler(Exception)
    async def failed(_request: Request, error: Exception) -> Response:
        # The server logs the traceback itself, when the call's ids are forgotten.
        _log.error("Call failed", code=INTERNAL, detail=repr(error))
        request_id = bound("request_id")
        named = f"The service failed; its log says more about the call {request_id}."
        return http_refusal(_FAILED, named if request_id else DETAILS[INTERNAL])


def answer(error: StemsetError) -> Response:
    """The answer to an error of the tree; one about who calls is logged and counted."""
    response = refusal(error)
    if isinstance(error, _WATCHED):
        signed = isinstance(error, _OF_SIGNATURES)
        counter = metrics.CALLBACKS_REFUSED if signed else metrics.REFUSED
        counter.labels(error.code).inc()
        _log.warning("Call refused", code=error.code, detail=str(error))
    elif response.status_code >= _FAILED:
        _log.error("Call failed", code=error.code, detail=str(error))
    return response


def _allow(request: Request) -> dict[str, str]:
    """Every method that a path has; the router knows those of the first route that fits only."""
    allowed = [
        method
        for method in _METHODS
        for route in request.app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    ]
    return {"allow": ", ".join(dict.fromkeys(allowed))}


def _described(found: Sequence[Any]) -> str:
    """What is wrong with a request, in one line, without repeating what was sent."""
    named = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}"[:_LONGEST] for each in found]
    more = len(named) - _NAMED_AT_MOST
    return "; ".join(named[:_NAMED_AT_MOST]) + (f"; and {more} more" if more > 0 else "") + "."
