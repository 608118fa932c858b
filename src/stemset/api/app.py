"""The API's application: its routes, and what stands before them.

A call passes, in this order: ``Observed`` (its id, counted), its listener's door (under which names
it may come), ``OwnOriginOnly`` (no page of another origin), ``Limits`` (its body), and the route,
which says who may call it (``access``). What no route answers may be the page's (``page``).
"""

from collections.abc import Collection

from fastapi import FastAPI
from starlette.types import ASGIApp

from stemset import __version__
from stemset.api import page
from stemset.api._answers import answer, answer_errors
from stemset.api._observed import Observed
from stemset.api._rates import Rates
from stemset.api._tokens import Tokens
from stemset.api.doors import Door, Through
from stemset.api.exports.desk import Exports
from stemset.api.installing import Installing
from stemset.api.limits import Limits
from stemset.api.openapi import document
from stemset.api.origins import OwnOriginOnly
from stemset.api.pairing import Pairing
from stemset.api.polling import polled_jobs
from stemset.api.routes import (
    callbacks,
    catalogue,
    costs,
    events,
    exports,
    health,
    jobs,
    media,
    members,
    outputs,
    pairing,
    process,
    profiles,
    recordings,
    sessions,
    uploads,
)
from stemset.api.service import Service
from stemset.api.sign_in.desk import SignIn
from stemset.api.streams import Streams
from stemset.errors import OriginRefused
from stemset.jobs.sessions import authenticate as authenticate_session
from stemset.serving.host_names import HostNamesOnly
from stemset.serving.loopback import LoopbackNamesOnly

ROUTES = (
    uploads,
    recordings,
    process,
    jobs,
    costs,
    outputs,
    exports,
    media,
    events,
    profiles,
    catalogue,
    pairing,
    sessions,
    members,
    callbacks,
    health,
)


def make_app(service: Service, streams: Streams) -> ASGIApp:
    """Build the application for a service with one listener.

    Args:
        service: What routes need.
        streams: The streams of events; whoever serves the application feeds and closes them.
    """
    return main_door(make_inside(service, streams, None), service)


def make_inside(service: Service, streams: Streams, pairing: Pairing | None) -> ASGIApp:
    """Build what is the same behind every listener.

    Args:
        service: What routes need.
        streams: The streams of events.
        pairing: What phones are paired by, None if they have no door.
    """
    routes = make_routes()
    routes.state.service = service
    routes.state.streams = streams
    routes.state.tokens = Tokens(service.database)
    routes.state.sessions = Tokens(service.database, authenticate=authenticate_session)
    with_whom = service.settings.sign_in
    per_s = service.settings.calls_per_s
    routes.state.sign_in = SignIn(with_whom, service.database, per_s) if with_whom else None
    routes.state.rates = Rates(service.settings.calls_per_s)
    routes.state.polled = polled_jobs(service.database)
    routes.state.exports = Exports(service)
    routes.state.pairing = pairing
    routes.state.installing = Installing()
    routes.router.default = page.Page(page.BUILT, service.store_settings, routes.router.default)
    return OwnOriginOnly(Limits(routes), service.settings.public_url)


def main_door(inside: ASGIApp, service: Service) -> ASGIApp:
    """What stands behind the service's own listener: open on loopback, elsewhere for tokens."""
    if not service.is_open:
        return Observed(Through(inside, Door.NETWORK))
    return Observed(LoopbackNamesOnly(Through(inside, Door.LOCAL), _not_loopback))


def phones_door(inside: ASGIApp, names: Collection[str]) -> ASGIApp:
    """What stands behind the listener for phones.

    Args:
        inside: What is the same behind every listener.
        names: Addresses and names that are this machine's.
    """
    known = HostNamesOnly(Through(inside, Door.PHONES), names.__contains__, _not_ours)
    return Observed(known)


def make_routes() -> FastAPI:
    """All routes, with nothing behind them: enough for their document."""
    app = FastAPI(
        title="Stemset",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's pages load their scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
    )
    answer_errors(app)
    for subject in ROUTES:
        app.include_router(subject.router)
    made = document(app)
    app.openapi = lambda: made
    return app


def _not_loopback(host: str) -> ASGIApp:
    detail = f"Without sign-in this service takes calls to loopback only, not to {host!r}."
    return answer(OriginRefused(detail))


def _not_ours(host: str) -> ASGIApp:
    return answer(OriginRefused(f"This service is not {host!r}: open the address of its code."))
