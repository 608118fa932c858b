"""What a provider, or somebody in its place, says that is not to be believed. Row 44 of the faults.

Its tokens are signed by hand, since no real provider makes such.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from stemset.api.sign_in.flow import Flow
from stemset.api.sign_in.provider import Person, Provider
from stemset.config import SignInSettings
from stemset.errors import ProviderUnavailable, SignInCancelled, SignInFailed, StemsetError

CLIENT_ID = "stemset"
FLOW = Flow("id", "/", "the-state", "the-nonce", "v" * 43)
KEY = RSAKey.generate_key(2048, {"kid": "theirs", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "theirs", "use": "sig"})
NEXT_KEY = RSAKey.generate_key(2048, {"kid": "next", "use": "sig"})
MUCH_LATER_S = 600.0

Answers = dict[str, Any]


class Clock:
    """A clock that the test turns."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class FalseProvider(ThreadingHTTPServer):
    """A provider that says whatever it is told to.

    Attributes:
        issuer: Its address.
        answers: What it answers with, by path: an object, a status, or bytes.
        asked: Paths that it was asked for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[str] = []
        self.answers: Answers = {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            },
            "/keys": {"keys": [KEY.as_dict(private=False)]},
        }

    def says(self, path: str, **changed: Any) -> None:
        self.answers[path] = {**self.answers[path], **changed}

    def gives(self, id_token: object) -> None:
        given = {"access_token": "a", "token_type": "Bearer", "id_token": id_token}
        self.answers["/token"] = given

    def claims(self, **changed: Any) -> dict[str, Any]:
        now_s = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "anna",
            "aud": CLIENT_ID,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": FLOW.nonce,
            "email": "anna@example.org",
            "email_verified": True,
        }
        return {name: each for name, each in {**claims, **changed}.items() if each is not None}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        provider = cast("FalseProvider", self.server)
        provider.asked.append(self.path)
        answer = provider.answers.get(self.path, 404)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(answer if isinstance(answer, int) else 200)
        if answer == 302:
            self.send_header("location", f"{provider.issuer}/keys")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def provider() -> Iterator[FalseProvider]:
    server = FalseProvider()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ours(provider: FalseProvider, clock: Clock | None = None) -> Provider:
    settings = SignInSettings(
        issuer=provider.issuer,
        client_id=CLIENT_ID,
        client_secret="s",  # noqa: S106
        provider="false",
        public_url="http://127.0.0.1:9",
        admins=frozenset(),
    )
    return Provider(settings, clock or Clock())


def person(asked: Provider, answer: Mapping[str, str] | None = None) -> Person:
    return asyncio.run(asked.person(FLOW, answer or {"code": "c"}))


def signed(claims: Mapping[str, Any], key: RSAKey = KEY, **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, dict(claims), key, ["RS256"])


def by_hand(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes | None) -> str:
    """A token that no library makes."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (header, claims)
    ]
    content = b".".join(parts)
    seal = hmac.digest(secret, content, hashlib.sha256) if secret else b""
    return f"{content.decode()}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def test_token_as_it_should_be_is_believed(provider: FalseProvider):
    provider.gives(signed(provider.claims(name="Anna")))

    found = person(ours(provider))

    assert found == Person(f"{provider.issuer} anna", "anna@example.org", True, "Anna")


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": [CLIENT_ID, "another"]},
        {"azp": "another"},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 9_000_000_000},
        {"iat": None},
        {"nbf": 9_000_000_000},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["the-nonce"]},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
    ],
    ids=lambda changed: "-".join(f"{name}={value}" for name, value in changed.items()),
)
def test_token_that_claims_something_else_is_refused(
    provider: FalseProvider, changed: dict[str, Any]
):
    provider.gives(signed(provider.claims(**changed)))

    with pytest.raises(SignInFailed):
        person(ours(provider))


def test_token_for_several_that_was_made_for_us_is_believed(provider: FalseProvider):
    provider.gives(signed(provider.claims(aud=[CLIENT_ID, "another"], azp=CLIENT_ID)))

    assert person(ours(provider)).email == "anna@example.org"


def test_token_that_another_key_signed_is_refused(provider: FalseProvider):
    provider.gives(signed(provider.claims(), OTHER_KEY))

    with pytest.raises(SignInFailed, match="not signed as it should be"):
        person(ours(provider))


def test_token_that_brings_its_own_key_is_refused(provider: FalseProvider):
    jwk = OTHER_KEY.as_dict(private=False)
    provider.gives(by_hand({"alg": "RS256", "kid": "theirs", "jwk": jwk}, provider.claims(), b"x"))

    with pytest.raises(SignInFailed, match="not signed as it should be"):
        person(ours(provider))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
def test_token_that_is_not_signed_by_a_private_key_is_refused(
    provider: FalseProvider, algorithm: str
):
    """The key that all know is no secret to sign with."""
    secret = KEY.as_pem(private=False) if algorithm == "HS256" else None
    header = {"alg": algorithm, "kid": "theirs"}
    provider.gives(by_hand(header, provider.claims(), secret))

    with pytest.raises(SignInFailed, match="not signed as it should be"):
        person(ours(provider))


DEEP = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 3000).decode()


@pytest.mark.parametrize("token", [None, "", "x", "a.b.c", "..", 7, ["x"], "é.é.é", f"{DEEP}.e.e"])
def test_token_that_is_none_is_refused(provider: FalseProvider, token: object):
    provider.gives(token)

    with pytest.raises(SignInFailed):
        person(ours(provider))


def test_key_that_is_new_is_looked_up(provider: FalseProvider):
    clock = Clock()
    asked = ours(provider, clock)
    provider.gives(signed(provider.claims()))
    person(asked)
    provider.answers["/keys"] = {"keys": [NEXT_KEY.as_dict(private=False)]}
    provider.gives(signed(provider.claims(), NEXT_KEY))

    clock.now_s += MUCH_LATER_S
    assert person(asked).email == "anna@example.org"

    # Whoever sends made-up ones does not have the provider asked each time.
    asked_for = len(provider.asked)
    provider.gives(signed(provider.claims(), OTHER_KEY))
    for _ in range(3):
        with pytest.raises(SignInFailed):
            person(asked)
    assert provider.asked[asked_for:] == ["/token"] * 3


def test_address_comes_from_the_userinfo_of_the_same_person(provider: FalseProvider):
    provider.gives(signed(provider.claims(email=None, email_verified=None)))
    provider.says("/.well-known/openid-configuration", userinfo_endpoint=f"{provider.issuer}/who")
    told = {"sub": "anna", "email": "anna@example.org", "email_verified": True, "iss": "x"}
    provider.answers["/who"] = told

    assert person(ours(provider)).email == "anna@example.org"

    provider.answers["/who"] = {**told, "sub": "chief", "email": "chief@example.org"}
    with pytest.raises(SignInFailed, match="another person"):
        person(ours(provider))


def test_person_without_an_address_has_none(provider: FalseProvider):
    provider.gives(signed(provider.claims(email=None)))

    assert person(ours(provider)).email is None


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", {"issuer": "https://evil.example"}),
        ("/.well-known/openid-configuration", []),
        ("/.well-known/openid-configuration", b"<html>"),
        ("/.well-known/openid-configuration", b"\xff\xfe{"),
        ("/.well-known/openid-configuration", 404),
        ("/.well-known/openid-configuration", 302),
        ("/keys", {"keys": "x"}),
        ("/keys", {"keys": [{"kty": "x"}]}),
        ("/keys", {"keys": [7]}),
        ("/keys", {}),
        ("/keys", []),
        ("/token", 400),
        ("/token", 302),
        ("/token", {"error": "invalid_grant"}),
        ("/token", b"[" * 100_000),
        ("/.well-known/openid-configuration", 500),
        ("/keys", 503),
        ("/token", 502),
    ],
    ids=lambda each: str(each)[:20],
)
def test_provider_that_answers_oddly_is_an_error_of_ours(
    provider: FalseProvider, path: str, answer: Any
):
    provider.gives(signed(provider.claims()))
    provider.answers[path] = answer

    with pytest.raises(StemsetError) as caught:
        person(ours(provider))

    fails = isinstance(answer, int) and answer >= 500
    assert isinstance(caught.value, ProviderUnavailable if fails else SignInFailed)


@pytest.mark.parametrize("url", ["http://evil.example/token", "file:///etc/passwd", "//x", 7, None])
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_endpoint_that_others_could_read_along_is_refused(
    provider: FalseProvider, name: str, url: object
):
    provider.says("/.well-known/openid-configuration", **{name: url})

    with pytest.raises(SignInFailed, match=name):
        asyncio.run(ours(provider).address(FLOW, choose=False))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"error": "access_denied"}, SignInCancelled),
        ({"error": "server_error", "code": "c"}, SignInFailed),
        ({}, SignInFailed),
        ({"code": ""}, SignInFailed),
        ({"code": "c", "iss": "https://evil.example"}, SignInFailed),
    ],
    ids=["denied", "error", "nothing", "no-code", "another-issuer"],
)
def test_way_back_without_a_code_asks_nobody(
    provider: FalseProvider, answer: dict[str, str], kind: type[StemsetError]
):
    with pytest.raises(kind):
        person(ours(provider), answer or {"state": "x"})

    assert provider.asked == []


def test_account_is_asked_for_where_the_person_wants_another(provider: FalseProvider):
    asked = ours(provider)

    assert "prompt=" not in asyncio.run(asked.address(FLOW, choose=False))
    assert "prompt=select_account" in asyncio.run(asked.address(FLOW, choose=True))

    provider.says("/.well-known/openid-configuration", prompt_values_supported=["login"])
    assert "prompt=login" in asyncio.run(ours(provider).address(FLOW, choose=True))
