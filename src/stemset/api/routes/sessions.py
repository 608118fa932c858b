"""Signing in by browser, and out; who is signed in."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, TypedDict
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from stemset.api import metrics
from stemset.api.access import SESSION_COOKIE, session_of, sessions_of
from stemset.api.auditing import call_of
from stemset.api.errors import errors
from stemset.api.service import Service, ServiceOf
from stemset.api.sign_in.desk import SignInOf
from stemset.api.sign_in.flow import LASTS_S
from stemset.errors import DatabaseUnavailable, RateLimited, StemsetError
from stemset.jobs import audit, sessions
from stemset.jobs.audit import Action
from stemset.jobs.caller import Role
from stemset.jobs.sessions import Session
from stemset.telemetry import get_logger

router = APIRouter(tags=["sign-in"])

_log = get_logger("api")

FLOW_COOKIE = "__Host-stemset-sign-in"
"""Holds a sign-in that is under way."""

_LONGEST = 4096


class _Cookie(TypedDict):
    path: str
    secure: bool
    httponly: bool


_COOKIE: _Cookie = {"path": "/", "secure": True, "httponly": True}
_SEE_OTHER = {303: {"description": "Where the browser goes on."}}


class SignInView(BaseModel):
    """With whom people sign in.

    Attributes:
        provider: What people call the provider.
        issuer: Its address.
    """

    provider: str
    issuer: str


class SignedIn(BaseModel):
    """Who is signed in.

    Attributes:
        email: The address.
        name: What the provider calls the person.
        role: What the person may do.
        profiles: Profiles that the person is limited to; null for all.
        expires_at: When to sign in again.
    """

    email: str
    name: str | None
    role: Role
    profiles: list[str] | None
    expires_at: datetime


class SessionAnswer(BaseModel):
    """How the caller stands here."""

    sign_in: SignInView | None = Field(
        description="With whom people sign in; null where nobody does."
    )
    member: SignedIn | None = Field(
        description="Who is signed in; null for nobody, a token and the local user."
    )


@router.get("/api/session", operation_id="get_session", responses=errors(DatabaseUnavailable))
async def get_session(request: Request, service: ServiceOf, desk: SignInOf) -> SessionAnswer:
    """Say who is signed in, and with whom one can; whoever it is may ask."""
    if desk is None:
        return SessionAnswer(sign_in=None, member=None)
    shown = SignInView(provider=desk.settings.provider, issuer=desk.settings.issuer)
    text = session_of(request)
    if text is None:
        return SessionAnswer(sign_in=shown, member=None)
    async with service.database.reading() as connection:
        session = await sessions.read(connection, text)
    if session is None:
        sessions_of(request).forget(text)
    return SessionAnswer(sign_in=shown, member=session and _signed_in(session))


@router.get(
    "/api/sign-in",
    operation_id="begin_sign_in",
    status_code=303,
    response_class=RedirectResponse,
    responses={**_SEE_OTHER, **errors(RateLimited)},
)
async def begin_sign_in(
    request: Request,
    desk: SignInOf,
    *,
    wanted: Annotated[
        str,
        Query(
            alias="next", max_length=_LONGEST, description="The page's path to go to afterwards."
        ),
    ] = "/",
    choose: Annotated[
        bool, Query(description="Whether the provider is to ask which account.")
    ] = False,
) -> Response:
    """Send the browser to the provider; it comes back to `/api/sign-in/callback`."""
    if desk is None:
        return _go_on("/")
    desk.rates.take(_address(request))
    try:
        begun = await desk.begin(wanted, choose=choose)
    except StemsetError as error:
        return _refused(error)
    answer = _go_on(begun.url)
    # Lax, since the browser comes back from a page of the provider.
    answer.set_cookie(FLOW_COOKIE, begun.cookie, max_age=int(LASTS_S), samesite="lax", **_COOKIE)
    return answer


@router.get(
    "/api/sign-in/callback",
    operation_id="finish_sign_in",
    status_code=303,
    response_class=RedirectResponse,
    responses={**_SEE_OTHER, **errors(RateLimited)},
)
async def finish_sign_in(request: Request, service: ServiceOf, desk: SignInOf) -> Response:
    """Take what the provider says of a person: the browser gets a session, or is told why not.

    Whatever it had a session of before ends.
    """
    if desk is None:
        return _go_on("/")
    desk.rates.take(_address(request))
    try:
        cookie = request.cookies.get(FLOW_COOKIE)
        done = await desk.finish(cookie, request.query_params, call_of(request))
        await _end_former(request, service)
    except StemsetError as error:
        answer = _refused(error)
    else:
        metrics.SIGN_INS.labels("signed_in").inc()
        answer = _go_on(done.next)
        lasts_s = int(sessions.LASTS.total_seconds())
        answer.set_cookie(
            SESSION_COOKIE, done.session, max_age=lasts_s, samesite="strict", **_COOKIE
        )
    answer.delete_cookie(FLOW_COOKIE, samesite="lax", **_COOKIE)
    return answer


@router.delete(
    "/api/session",
    operation_id="sign_out",
    status_code=204,
    response_class=Response,
    responses=errors(DatabaseUnavailable),
)
async def sign_out(
    request: Request,
    service: ServiceOf,
    response: Response,
    *,
    everywhere: Annotated[
        bool, Query(description="Whether all of the person's other browsers are signed out too.")
    ] = False,
) -> None:
    """Sign out; whoever is not signed in is not either afterwards."""
    text = session_of(request)
    if text is not None:
        async with service.database.transaction() as connection:
            session = await sessions.read(connection, text)
            if session is not None:
                member = session.member
                actor = replace(call_of(request), name=member.email, id=member.id)
                if everywhere:
                    ended = await sessions.end_all(connection, member)
                    action = Action.SIGNED_OUT_EVERYWHERE
                    await audit.note(connection, actor, action, sessions=ended)
                else:
                    await sessions.end(connection, session.id)
                    await audit.note(connection, actor, Action.SIGNED_OUT)
        sessions_of(request).forget(text)
    response.delete_cookie(SESSION_COOKIE, samesite="strict", **_COOKIE)


def _signed_in(session: Session) -> SignedIn:
    member = session.member
    return SignedIn(
        email=member.email,
        name=member.name,
        role=member.role,
        profiles=None if member.profiles is None else sorted(member.profiles),
        expires_at=session.expires_at,
    )


def _go_on(url: str) -> Response:
    return RedirectResponse(url, 303, {"cache-control": "no-store"})


def _refused(error: StemsetError) -> Response:
    """Have the page say why not: whoever comes here is a person with a browser."""
    metrics.SIGN_INS.labels(error.code).inc()
    _log.warning("Sign-in refused", code=error.code, detail=str(error))
    return _go_on(f"/sign-in?{urlencode({'refused': error.code})}")


async def _end_former(request: Request, service: Service) -> None:
    """End the session that the browser had."""
    if (text := session_of(request)) is None:
        return
    async with service.database.transaction() as connection:
        former = await sessions.read(connection, text)
        if former is not None:
            await sessions.end(connection, former.id)
    sessions_of(request).forget(text)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
