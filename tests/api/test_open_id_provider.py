"""The provider that the sign-in tests use does what OpenID Connect says."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from open_id_provider import OpenIdProvider, open_id_provider

BACK = "http://127.0.0.1:9/api/sign-in/callback"
VERIFIER = "v" * 43
STATE, NONCE = "the-state", "the-nonce"


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    """A provider; its tests use accounts of their own."""
    with open_id_provider(BACK) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def discovered(browser: httpx.Client, provider: OpenIdProvider) -> dict[str, Any]:
    return browser.get(f"{provider.issuer}/.well-known/openid-configuration").json()


def authorization_url(browser: httpx.Client, provider: OpenIdProvider, **more: str) -> str:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    asked = {
        "client_id": provider.client_id,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "nonce": NONCE,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "openid email profile",
        "state": STATE,
    }
    endpoint = discovered(browser, provider)["authorization_endpoint"]
    return f"{endpoint}?{urlencode(asked | more)}"


def said(url: str) -> dict[str, str]:
    """What stands in an address that leads back."""
    assert url.partition("?")[0] == BACK
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


def redeemed(
    browser: httpx.Client, provider: OpenIdProvider, code: str, verifier: str = VERIFIER
) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": verifier,
    }
    return browser.post(
        discovered(browser, provider)["token_endpoint"],
        data=form,
        auth=(provider.client_id, provider.client_secret),
    )


def claims_of(browser: httpx.Client, provider: OpenIdProvider, login: str) -> dict[str, Any]:
    """What the ID token says of an account, in a browser where nobody is signed in."""
    url = authorization_url(browser, provider, prompt="select_account")
    back = said(provider.sign_in(browser, url, login))
    answer = redeemed(browser, provider, back["code"]).json()
    keys = KeySet.import_key_set(browser.get(discovered(browser, provider)["jwks_uri"]).json())
    return jwt.decode(answer["id_token"], keys, algorithms=["RS256"]).claims


def test_provider_that_somebody_signs_in_to_says_who_it_was(
    provider: OpenIdProvider, browser: httpx.Client
):
    back = said(provider.sign_in(browser, authorization_url(browser, provider), "anna"))
    claims = claims_of(browser, provider, "anna")

    assert (back["state"], back["iss"]) == (STATE, provider.issuer)
    assert claims["iss"] == provider.issuer
    assert claims["aud"] == provider.client_id
    assert claims["nonce"] == NONCE
    assert (claims["sub"], claims["name"]) == ("anna", "Anna Apple")
    assert (claims["email"], claims["email_verified"]) == ("anna@example.org", True)


def test_provider_asked_for_another_account_lets_one_choose(
    provider: OpenIdProvider, browser: httpx.Client
):
    assert claims_of(browser, provider, "anna")["sub"] == "anna"

    assert claims_of(browser, provider, "ben")["sub"] == "ben"


def test_provider_that_somebody_cancels_says_so(provider: OpenIdProvider, browser: httpx.Client):
    back = said(provider.cancel(browser, authorization_url(browser, provider)))

    assert (back["error"], back["state"]) == ("access_denied", STATE)


def test_provider_takes_a_code_once_and_from_who_has_the_verifier(
    provider: OpenIdProvider, browser: httpx.Client
):
    url = authorization_url(browser, provider)
    first = said(provider.sign_in(browser, url, "anna"))["code"]
    second = said(provider.sign_in(browser, url, "anna"))["code"]

    assert redeemed(browser, provider, first, "w" * 43).json()["error"] == "invalid_grant"
    assert redeemed(browser, provider, second).status_code == httpx.codes.OK
    assert redeemed(browser, provider, second).json()["error"] == "invalid_grant"


def test_provider_without_a_challenge_refuses(provider: OpenIdProvider, browser: httpx.Client):
    url = authorization_url(browser, provider).replace("code_challenge", "other")

    assert said(browser.get(url).headers["location"])["error"] == "invalid_request"


def test_provider_whose_account_changes_says_the_new(
    provider: OpenIdProvider, browser: httpx.Client
):
    provider.change_account("dora", email="dora@example.org", email_verified=True)
    assert claims_of(browser, provider, "dora")["email_verified"] is True

    provider.change_account("dora", email_verified=False)

    assert claims_of(browser, provider, "dora")["email_verified"] is False


def test_provider_that_is_started_again_has_its_address_and_another_key():
    with open_id_provider(BACK) as provider, httpx.Client(trust_env=False) as browser:
        issuer = provider.issuer
        before = browser.get(f"{issuer}/jwks").json()["keys"]
        provider.stop()
        with pytest.raises(httpx.ConnectError):
            browser.get(f"{issuer}/jwks")

        provider.start()

        assert provider.issuer == issuer
        assert browser.get(f"{issuer}/jwks").json()["keys"] != before
        assert claims_of(browser, provider, "anna")["iss"] == issuer


def test_provider_sends_people_to_its_clients_addresses_alone(
    provider: OpenIdProvider, browser: httpx.Client
):
    url = authorization_url(browser, provider, redirect_uri=f"{BACK}/elsewhere")
    assert browser.get(url).status_code == httpx.codes.BAD_REQUEST

    provider.allow(f"{BACK}/elsewhere")

    assert provider.sign_in(browser, url, "anna").startswith(f"{BACK}/elsewhere?")
