from pathlib import Path

import pytest

from stemset.config import load_settings
from stemset.errors import InvalidConfig

GOOGLE = {
    "STEMSET_OIDC_ISSUER": "https://accounts.google.com",
    "STEMSET_OIDC_CLIENT_ID": "id.apps.example",
    "STEMSET_OIDC_CLIENT_SECRET": "do-not-tell",
    "STEMSET_PUBLIC_URL": "https://stems.example/",
    "STEMSET_ADMINS": " Anna@Example.org, ben@example.org ,",
}


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_sign_in_is_off_unless_it_is_configured():
    settings = load_settings(environ={"BACKEND_URL": "http://api:8080"})

    assert settings.sign_in is None
    assert settings.public_url == "http://api:8080"


def test_sign_in_is_read():
    settings = load_settings(environ=GOOGLE | {"BACKEND_URL": "http://api:8080"})
    sign_in = settings.sign_in

    assert sign_in is not None
    assert sign_in.provider == "Google"
    assert sign_in.redirect_url == "https://stems.example/api/sign-in/callback"
    assert sign_in.admins == {"anna@example.org", "ben@example.org"}
    assert "do-not-tell" not in repr(settings)


def test_sign_in_takes_the_services_address_where_people_have_no_other():
    environ = {**GOOGLE, "STEMSET_PUBLIC_URL": "", "BACKEND_URL": "https://stems.example"}

    sign_in = load_settings(environ=environ).sign_in

    assert sign_in is not None
    assert sign_in.public_url == "https://stems.example"


def test_provider_is_called_as_the_operator_says_or_by_its_host():
    other = GOOGLE | {"STEMSET_OIDC_ISSUER": "https://id.example/realms/band"}

    by_host = load_settings(environ=other).sign_in
    named = load_settings(environ=other | {"STEMSET_OIDC_NAME": "Band account"}).sign_in

    assert by_host is not None
    assert named is not None
    assert (by_host.provider, named.provider) == ("id.example", "Band account")


@pytest.mark.parametrize(
    "missing", ["STEMSET_OIDC_ISSUER", "STEMSET_OIDC_CLIENT_ID", "STEMSET_PUBLIC_URL"]
)
def test_sign_in_that_lacks_something_names_it(missing: str):
    environ = {name: value for name, value in GOOGLE.items() if name != missing}

    with pytest.raises(InvalidConfig, match=missing):
        load_settings(environ=environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STEMSET_OIDC_ISSUER", "http://accounts.example"),
        ("STEMSET_OIDC_ISSUER", "accounts.google.com"),
        ("STEMSET_OIDC_ISSUER", "https://user@accounts.example"),
        ("STEMSET_OIDC_ISSUER", "https://accounts.example?x=1"),
        ("STEMSET_PUBLIC_URL", "http://stems.example"),
        ("STEMSET_PUBLIC_URL", "https://stems.example/below"),
        ("STEMSET_PUBLIC_URL", "https://[stems"),
        ("STEMSET_PUBLIC_URL", "https://stems.example:port"),
        ("STEMSET_ADMINS", "anna"),
        ("STEMSET_ADMINS", "anna@example.org ben@example.org"),
    ],
)
def test_sign_in_that_cannot_be_so_names_what(name: str, value: str):
    with pytest.raises(InvalidConfig, match=name):
        load_settings(environ=GOOGLE | {name: value})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_sign_in_without_tls_is_for_this_machine_alone(host: str):
    url = f"http://{host}:8080"

    sign_in = load_settings(environ=GOOGLE | {"STEMSET_PUBLIC_URL": url}).sign_in

    assert sign_in is not None
    assert sign_in.public_url == url
