"""The OpenID provider, seen from here: what it offers, and what it says of a person.

Source: OpenID Connect Core 1.0 and Discovery 1.0; RFC 6749; RFC 9207.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from stemset.api.sign_in.flow import Flow
from stemset.config import SignInSettings
from stemset.errors import ProviderUnavailable, SignInCancelled, SignInFailed
from stemset.http_rules import is_loopback

_DOCUMENT = "/.well-known/openid-configuration"
_SCOPE = "openid email profile"
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519")
_BY_HEADER = "client_secret_basic"
_CHOOSE = "select_account"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_WITHIN_S = 10.0
_KEPT_S = 3600.0
_KEYS_ASKED_AGAIN_AFTER_S = 30.0
_CLOCKS_MAY_DIFFER_S = 60

# Source: RFC 6749, 5.2.
_NOT_KNOWN = frozenset({"invalid_client", "unauthorized_client"})
_NOT_READ = (JoseError, ValueError, RecursionError)

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for.

    Attributes:
        subject: Its account: the issuer and what the issuer calls it.
        email: Its e-mail address as the provider has it, None if it tells none.
        is_verified: Whether the provider vouches for the address.
        name: What it is called, None if the provider does not say.
    """

    subject: str
    email: str | None
    is_verified: bool
    name: str | None


class _Refusal(Exception):
    """The code with which the provider refuses a call of ours."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the provider said of itself, and when."""

    facts: Facts
    keys: KeySet
    asked_s: float


class Provider:
    """An OpenID provider. Used within one event loop."""

    def __init__(
        self, settings: SignInSettings, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Know where it is; it is not asked yet.

        Args:
            settings: Where it is, and what it knows this service as.
            clock_s: Seconds from any moment, never backwards.
        """
        self._settings = settings
        self._clock_s = clock_s
        self._known: _Known | None = None

    async def address(self, flow: Flow, *, choose: bool) -> str:
        """Where to send a browser to.

        Args:
            flow: The sign-in.
            choose: Whether the person is to say which account, even if there is one only.

        Raises:
            ProviderUnavailable: It does not answer.
            SignInFailed: What it says of itself cannot be used.
        """
        facts = (await self._facts()).facts
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_url,
            "scope": _SCOPE,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        if choose:
            known = facts.get("prompt_values_supported", [_CHOOSE])
            asked["prompt"] = _CHOOSE if _CHOOSE in known else "login"
        endpoint: str = facts["authorization_endpoint"]
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def check(self, flow: Flow) -> None:
        """Try what can be tried without a person: its document, its keys, and our secret.

        Args:
            flow: One that nobody goes through with: a code of it is made up, and refused.

        Raises:
            ProviderUnavailable: It does not answer.
            SignInFailed: It is not what it should be, or does not know this service.
        """
        try:
            async with _client() as client:
                await self._redeemed(client, "made-up", flow)
        except SignInFailed as error:
            refusal = error.__cause__
            if not isinstance(refusal, _Refusal) or str(refusal) in _NOT_KNOWN:
                raise

    async def person(self, flow: Flow, answer: Mapping[str, str]) -> Person:
        """Whom it vouches for.

        Args:
            flow: The sign-in, which the answer's state belongs to.
            answer: What the browser brought back.

        Raises:
            SignInCancelled: The person did not go through with it.
            ProviderUnavailable: It does not answer.
            SignInFailed: It refuses, or what it says cannot be believed.
        """
        if error := answer.get("error"):
            if error == "access_denied":
                raise SignInCancelled("The sign-in was cancelled.")
            raise SignInFailed(f"The provider refuses: {_plain(error)}.")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise SignInFailed("The answer comes from another provider.")
        if not (code := answer.get("code")):
            raise SignInFailed("The provider's answer holds no code.")
        async with _client() as client:
            tokens = await self._redeemed(client, code, flow)
            claims = await self._believed(tokens.get("id_token"), flow)
            if "email" not in claims:
                claims = {**await self._looked_up(client, tokens, claims["sub"]), **claims}
        email, name = claims.get("email"), claims.get("name")
        return Person(
            subject=f"{self._settings.issuer} {claims['sub']}",
            email=email if isinstance(email, str) else None,
            is_verified=claims.get("email_verified") is True,
            name=name if isinstance(name, str) and name.isprintable() else None,
        )

    async def _redeemed(self, client: httpx.AsyncClient, code: str, flow: Flow) -> Facts:
        """What it gives for a code."""
        settings = self._settings
        facts = (await self._facts()).facts
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.redirect_url,
            "code_verifier": flow.verifier,
        }
        auth = None
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        elif _BY_HEADER in facts.get("token_endpoint_auth_methods_supported", [_BY_HEADER]):
            # Source: RFC 6749, 2.3.1: both are encoded as forms are.
            auth = httpx.BasicAuth(quote(settings.client_id, ""), quote(settings.client_secret, ""))
        else:
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        return await _asked(
            client, client.build_request("POST", facts["token_endpoint"], data=form), auth
        )

    async def _believed(self, id_token: object, flow: Flow) -> Facts:
        """The claims of an ID token that is signed by the provider, for us, in this flow, now."""
        if not isinstance(id_token, str):
            raise SignInFailed("The provider gives no ID token.")
        try:
            claims = await self._read(id_token)
            registry = JWTClaimsRegistry(
                leeway=_CLOCKS_MAY_DIFFER_S,
                iss={"essential": True, "value": self._settings.issuer},
                sub={"essential": True},
                aud={"essential": True, "value": self._settings.client_id},
                exp={"essential": True},
                iat={"essential": True},
            )
            registry.validate(dict(claims))
        except JoseError as error:
            raise SignInFailed(f"The provider's ID token is not good: {error}.") from error
        if claims.get("nonce") != flow.nonce:
            raise SignInFailed("The provider's ID token was made for another sign-in.")
        azp, audience = claims.get("azp"), claims["aud"]
        is_for_others_too = isinstance(audience, list) and len(cast("list[object]", audience)) > 1
        if (azp is not None or is_for_others_too) and azp != self._settings.client_id:
            raise SignInFailed("The provider's ID token was made for another client.")
        return claims

    async def _read(self, id_token: str) -> Facts:
        """The claims of a token; new keys are looked for if none of those known signed it."""
        known = await self._facts()
        try:
            return jwt.decode(id_token, known.keys, _ALGORITHMS).claims
        except _NOT_READ as error:
            if self._clock_s() - known.asked_s < _KEYS_ASKED_AGAIN_AFTER_S:
                raise _not_signed(error) from error
        self._known = None
        known = await self._facts()
        try:
            return jwt.decode(id_token, known.keys, _ALGORITHMS).claims
        except _NOT_READ as error:
            raise _not_signed(error) from error

    async def _looked_up(self, client: httpx.AsyncClient, tokens: Facts, subject: str) -> Facts:
        """What the provider says of a person apart from the ID token, where it says so there."""
        endpoint = (await self._facts()).facts.get("userinfo_endpoint")
        if endpoint is None:
            return {}
        headers = {"authorization": f"Bearer {tokens.get('access_token')}"}
        found = await _asked(client, client.build_request("GET", endpoint, headers=headers))
        if found.get("sub") != subject:
            raise SignInFailed("The provider tells of another person than it signed for.")
        return found

    async def _facts(self) -> _Known:
        """What the provider says of itself; asked once an hour."""
        now_s = self._clock_s()
        if self._known is not None and now_s - self._known.asked_s < _KEPT_S:
            return self._known
        issuer = self._settings.issuer
        async with _client() as client:
            url = issuer.rstrip("/") + _DOCUMENT
            facts = await _asked(client, client.build_request("GET", url))
            if facts.get("issuer") != issuer:
                raise SignInFailed(f"The provider calls itself {facts.get('issuer')!r}.")
            for name in _ENDPOINTS:
                _check_endpoint(name, facts.get(name))
            keys = await _asked(client, client.build_request("GET", facts["jwks_uri"]))
        try:
            known = _Known(facts, KeySet.import_key_set(cast("Any", keys)), now_s)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise SignInFailed("The provider's keys cannot be read.") from error
        self._known = known
        return known


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_WITHIN_S, follow_redirects=False, trust_env=True)


async def _asked(
    client: httpx.AsyncClient, request: httpx.Request, auth: httpx.Auth | None = None
) -> Facts:
    """The JSON object that the provider answers with."""
    where = f"{request.url.host}{request.url.path}"
    try:
        answer = await client.send(request, auth=auth)
    except httpx.HTTPError as error:
        raise ProviderUnavailable(f"The provider does not answer at {where}: {error!r}.") from error
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ProviderUnavailable(f"The provider fails at {where}: {answer.status_code}.")
    try:
        told = answer.json()
    except (ValueError, RecursionError):
        told = None
    if answer.status_code != HTTPStatus.OK or not isinstance(told, dict):
        why = cast("Facts", told).get("error", "") if isinstance(told, dict) else ""
        said = f"The provider refuses at {where}: {answer.status_code} {_plain(str(why))}"
        raise SignInFailed(said.strip()) from (_Refusal(str(why)) if why else None)
    return cast("Facts", told)


def _check_endpoint(name: str, url: object) -> None:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = parts.hostname or ""
    except ValueError:
        host = ""
        parts = urlsplit("")
    if not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise SignInFailed(f"The provider's {name} is no https address: {url!r}.")


def _not_signed(error: Exception) -> SignInFailed:
    return SignInFailed(f"The provider's ID token is not signed as it should be: {error}.")


def _plain(text: str) -> str:
    return "".join(each for each in text[:100] if each.isprintable())
