"""Who may call: what a route says it needs, and who is found to call.

A route takes ``caller: Reader`` (or ``Writer``, ``Admin``) and gets the ``Caller``; one that lacks
the scope is refused. A caller is whoever holds the token in ``Authorization: Bearer stm_…``;
without one it is the local user by the local door (loopback with no sign-in). By the other doors it
is whoever the browser's cookie belongs to, a member who signed in or a phone that was paired, or
nobody. Calls that a browser makes for a page of another origin, cookie and all, are refused before
they get here (``origins``).

A token, or a session, is looked up at most every 5 s (``_tokens``): for so long one that was
revoked still works.

A caller may call only so often (``_rates``).

Which profiles a caller may see is checked where a profile is known: ``Caller.check_profile``.
"""

from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from stemset.api._rates import Rates
from stemset.api._tokens import Tokens
from stemset.api.doors import Door, door_of
from stemset.api.service import ServiceOf
from stemset.errors import Unauthenticated
from stemset.jobs.caller import LOCAL_CALLER, Caller, Scope
from stemset.metrics import may_read

PHONE_COOKIE = "__Host-stemset"
"""Holds a paired phone's token. Browsers keep a cookie of such a name for its own host alone, and
take it over TLS only."""

SESSION_COOKIE = "__Host-stemset-session"
"""Holds the session of a member who signed in."""

NOT_PAIRED = (
    "This device is not paired with Stemset, or not any more. Choose “Phone” on the page of the "
    "computer that runs Stemset, and scan the code."
)

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="An API token, `stm_<id>_<secret>`. Not needed by the local user on loopback.",
)
_cookie = APIKeyCookie(
    name=PHONE_COOKIE,
    auto_error=False,
    scheme_name="pairing",
    description="A paired phone's token: `POST /api/pairing` sets it.",
)
_session_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    scheme_name="session",
    description="The session of a member: `GET /api/sign-in/callback` sets it.",
)


async def caller_of(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
    session: Annotated[str | None, Security(_session_cookie)],
) -> Caller:
    """Find who calls.

    Raises:
        Unauthenticated: Nobody that is known; also by the local door with a token that is bad.
    """
    door = door_of(request.scope)
    if credentials is not None:
        return await tokens_of(request).caller(credentials.credentials)
    if door is Door.LOCAL:
        return LOCAL_CALLER
    if session is not None and _has_sign_in(request):
        return await sessions_of(request).caller(session)
    if cookie is not None:
        return await _phone(request, cookie)
    if door is Door.PHONES:
        raise Unauthenticated(NOT_PAIRED)
    if _has_sign_in(request):
        raise Unauthenticated("You are not signed in. Scripts need: Authorization: Bearer stm_…")
    raise Unauthenticated("This call needs a token: Authorization: Bearer stm_…")


async def _counted(request: Request, caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
    """Refuse who calls too often; the local user may. Raises RateLimited."""
    if caller is not LOCAL_CALLER:
        cast("Rates", request.app.state.rates).take(caller.id)
    return caller


CallerOf = Annotated[Caller, Depends(_counted)]


async def _reader(caller: CallerOf) -> Caller:
    caller.check(Scope.READ)
    return caller


async def _writer(caller: CallerOf) -> Caller:
    caller.check(Scope.WRITE)
    return caller


async def _admin(caller: CallerOf) -> Caller:
    caller.check(Scope.ADMIN)
    return caller


async def caller_again(request: Request) -> Caller:
    """Find who calls, where no route asked. Raises Unauthenticated, DatabaseError."""
    cookies = await _cookie(request), await _session_cookie(request)
    return await caller_of(request, await _bearer(request), *cookies)


async def reader_again(request: Request) -> Caller:
    """Find again who made a call that lasts. Raises Unauthenticated, Forbidden, DatabaseError."""
    return await _reader(await caller_again(request))


def tokens_of(request: Request) -> Tokens:
    """The tokens of the application that a request came to."""
    return cast("Tokens", request.app.state.tokens)


def sessions_of(request: Request) -> Tokens:
    """The sessions of the application that a request came to."""
    return cast("Tokens", request.app.state.sessions)


def session_of(request: Request) -> str | None:
    """The session that a request's cookie holds, whether it goes on or not."""
    return request.cookies.get(SESSION_COOKIE)


def _has_sign_in(request: Request) -> bool:
    return request.app.state.sign_in is not None


async def _phone(request: Request, cookie: str) -> Caller:
    try:
        return await tokens_of(request).caller(cookie)
    except Unauthenticated as error:
        raise Unauthenticated(NOT_PAIRED) from error


async def _metrics_reader(
    request: Request,
    service: ServiceOf,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
    session: Annotated[str | None, Security(_session_cookie)],
) -> None:
    """Let whoever may look in, and who holds the token for metrics."""
    if not may_read(request.headers.get("authorization"), service.settings.metrics_token):
        await _reader(await caller_of(request, credentials, cookie, session))


Reader = Annotated[Caller, Depends(_reader)]
"""Whoever may look."""

MetricsReader = Annotated[None, Depends(_metrics_reader)]
"""Whoever may look, or holds ``STEMSET_METRICS_TOKEN``."""

Writer = Annotated[Caller, Depends(_writer)]
"""Whoever may upload, start, cancel and remove."""

Admin = Annotated[Caller, Depends(_admin)]
"""Whoever may do everything."""
