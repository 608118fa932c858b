"""A service that people sign in to, the provider that they do it with, and their browsers.

::

    with service_with_sign_in(tmp_path, conninfo) as place:
        browser = place.browser()
        place.let_in("anna@example.org")
        place.sign_in(browser, "anna")
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from open_id_provider import OpenIdProvider, open_id_provider
from service_client import WITHIN_S, RunningService, running_service

from stemset.jobs import audit, members
from stemset.jobs.audit import Entry
from stemset.jobs.caller import Role
from stemset.jobs.members import Member

ADMIN = "chief@example.org"


class Browser:
    """Calls the service as a browser does: with its cookies, and following nothing.

    httpx keeps cookies that are ``Secure`` to itself on plain loopback, where browsers send them.

    Attributes:
        cookies: What it has, by name.
        set: The last cookies that were set, with all that was said of them.
    """

    def __init__(self, url: str) -> None:
        self.cookies: dict[str, str] = {}
        self.set: dict[str, Morsel[str]] = {}
        self._client = httpx.Client(base_url=url, timeout=WITHIN_S)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        held = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**({"cookie": held.encode()} if held else {}), **more.pop("headers", {})}
        answer = self._client.request(method, path, headers=headers, **more)
        self.set = {}
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.set[name] = morsel
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    @property
    def member(self) -> Any:
        """Who the service says is signed in."""
        return self.get("/api/session").json()["member"]

    @property
    def may_look(self) -> bool:
        answer = self.get("/api/jobs")
        assert answer.status_code in {200, 401}, answer.text
        return answer.status_code == 200

    def close(self) -> None:
        self._client.close()


@dataclass
class Place:
    """A service that people sign in to.

    Attributes:
        running: The service.
        provider: Whom they sign in with.
    """

    running: RunningService
    provider: OpenIdProvider
    _browsers: list[Browser] = field(default_factory=list[Browser])

    def browser(self) -> Browser:
        """A browser that has been nowhere."""
        self._browsers.append(Browser(self.running.url))
        return self._browsers[-1]

    def let_in(
        self, email: str, role: Role = Role.MEMBER, profiles: list[str] | None = None
    ) -> Member:
        return self.running.in_transaction(
            lambda connection: members.put(connection, email, role, profiles)
        )

    def account(self, login: str, **claims: Any) -> str:
        """Have an account at the provider. Returns its address."""
        told = {"email": f"{login}@example.org", "email_verified": True, "name": login.title()}
        self.provider.change_account(login, **{**told, **claims})
        return str({**told, **claims}["email"])

    def member(self, login: str, role: Role = Role.MEMBER) -> Browser:
        """Somebody who may sign in, and did. Returns the browser."""
        self.let_in(self.account(login), role)
        browser = self.browser()
        assert self.sign_in(browser, login) == "/"
        return browser

    def way_back(self, browser: Browser, login: str | None, wanted: str = "/") -> str:
        """Go to the provider and sign in there, or cancel. Returns the path that leads back."""
        begun = browser.call("GET", "/api/sign-in", params={"next": wanted})
        assert begun.status_code == 303, begun.text
        there = begun.headers["location"]
        with httpx.Client(trust_env=False, timeout=WITHIN_S) as client:
            if login is None:
                back = self.provider.cancel(client, there)
            else:
                back = self.provider.sign_in(client, there, login)
        assert back.startswith(f"{self.running.url}/api/sign-in/callback?")
        return back.removeprefix(self.running.url)

    def sign_in(self, browser: Browser, login: str | None, wanted: str = "/") -> str:
        """Sign in. Returns where the browser is sent to in the end."""
        return location(browser.get(self.way_back(browser, login, wanted)))

    def audit(self) -> list[Entry]:
        """What the audit log has, the newest first."""
        return self.running.in_transaction(lambda connection: audit.page(connection, None, 100))


def location(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


def why(path: str) -> str:
    """The code that a browser is sent to the page with that says why it was refused."""
    parts = urlsplit(path)
    assert parts.path == "/sign-in"
    return parse_qs(parts.query)["refused"][0]


@contextmanager
def service_with_sign_in(
    tmp_path: Path, conninfo: str, environ: Mapping[str, str] | None = None
) -> Iterator[Place]:
    """Run both, with more in the environment. One is admin, ``ADMIN``, and has not signed in."""
    with open_id_provider("http://127.0.0.1:9/") as provider:

        def variables(url: str) -> dict[str, str]:
            provider.allow(f"{url}/api/sign-in/callback")
            return {
                "STEMSET_OIDC_ISSUER": provider.issuer,
                "STEMSET_OIDC_CLIENT_ID": provider.client_id,
                "STEMSET_OIDC_CLIENT_SECRET": provider.client_secret,
                "STEMSET_PUBLIC_URL": url,
            }

        service = running_service(
            tmp_path, conninfo, is_open=False, environ=environ, environ_at=variables
        )
        with service as running:
            place = Place(running, provider)
            place.let_in(ADMIN, Role.ADMIN)
            try:
                yield place
            finally:
                for browser in place._browsers:
                    browser.close()
