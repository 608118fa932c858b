"""What doctor says of the provider that people sign in with: a real one, broken for real."""

from pathlib import Path

import pytest
from open_id_provider import OpenIdProvider, open_id_provider

from stemset.cli.deployment import Line, deployment_checks
from stemset.config import load_settings
from stemset.errors import ProviderUnavailable, SignInFailed

URL = "https://stems.example"
BACK = f"{URL}/api/sign-in/callback"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tried(provider: OpenIdProvider, **environ: str) -> str:
    """Make the one check of a service that this provider knows."""
    told = {
        "STEMSET_OIDC_ISSUER": provider.issuer,
        "STEMSET_OIDC_CLIENT_ID": provider.client_id,
        "STEMSET_OIDC_CLIENT_SECRET": provider.client_secret,
        "STEMSET_PUBLIC_URL": URL,
    }
    ((line, check),) = deployment_checks(load_settings(environ={**told, **environ}))
    assert line is Line.SIGN_IN
    return check()


def test_provider_that_knows_the_service_is_well():
    with open_id_provider(BACK) as provider:
        assert BACK in tried(provider)


@pytest.mark.parametrize("name", ["STEMSET_OIDC_CLIENT_ID", "STEMSET_OIDC_CLIENT_SECRET"])
def test_provider_that_does_not_know_the_service_is_named(name: str):
    with (
        open_id_provider(BACK) as provider,
        pytest.raises(SignInFailed, match="401 invalid_client"),
    ):
        tried(provider, **{name: "another"})


def test_provider_that_calls_itself_otherwise_is_named():
    with open_id_provider(BACK) as provider:
        other = provider.issuer.replace("127.0.0.1", "localhost")
        with pytest.raises(SignInFailed, match="calls itself"):
            tried(provider, STEMSET_OIDC_ISSUER=other)


def test_provider_that_is_not_there_is_named():
    with open_id_provider(BACK) as provider:
        provider.stop()
        with pytest.raises(ProviderUnavailable, match="does not answer"):
            tried(provider)
