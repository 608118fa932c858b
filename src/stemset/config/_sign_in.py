"""How people sign in by browser, as the environment says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from stemset.errors import InvalidConfig
from stemset.http_rules import is_loopback
from stemset.jobs.emails import plain_email

CALLBACK_PATH = "/api/sign-in/callback"

_NAMES = {"accounts.google.com": "Google"}


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """How people sign in by browser.

    Attributes:
        issuer: The OpenID provider, as its discovery document names itself.
        client_id: What the provider knows this service as.
        client_secret: What the service shows the provider, None where it has none.
        provider: What people call the provider.
        public_url: Where people open the page, without a slash at its end.
        admins: Addresses that are always admins, in small letters.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    provider: str
    public_url: str
    admins: frozenset[str]

    @property
    def redirect_url(self) -> str:
        """Where the provider sends people back to; it must be told this very address."""
        return self.public_url + CALLBACK_PATH


def sign_in(variables: Mapping[str, str], public_url: str | None) -> SignInSettings | None:
    """What the ``STEMSET_OIDC_*`` variables say, None if they say nothing.

    Args:
        variables: The environment.
        public_url: Where people open the page.

    Raises:
        InvalidConfig: One of them is missing, or is not what it must be.
    """
    issuer, client_id = (
        variables.get("STEMSET_OIDC_ISSUER"),
        variables.get("STEMSET_OIDC_CLIENT_ID"),
    )
    if not issuer and not client_id:
        return None
    if not issuer or not client_id or not public_url:
        wanted = {
            "STEMSET_OIDC_ISSUER": issuer,
            "STEMSET_OIDC_CLIENT_ID": client_id,
            "STEMSET_PUBLIC_URL": public_url,
        }
        missing = ", ".join(name for name, value in wanted.items() if not value)
        raise InvalidConfig(f"To sign in by browser, these must be set as well: {missing}.")
    parts = _checked("STEMSET_OIDC_ISSUER", issuer)
    if _checked("STEMSET_PUBLIC_URL (or BACKEND_URL)", public_url).path:
        raise InvalidConfig(f"STEMSET_PUBLIC_URL must have no path, got {public_url!r}.")
    host = parts.hostname or ""
    return SignInSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=variables.get("STEMSET_OIDC_CLIENT_SECRET") or None,
        provider=variables.get("STEMSET_OIDC_NAME") or _NAMES.get(host, host),
        public_url=public_url,
        admins=_admins(variables.get("STEMSET_ADMINS", "")),
    )


def _checked(name: str, url: str) -> SplitResult:
    """A URL whose way nobody can read along."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise InvalidConfig(f"{name} is no web address: {url!r}.") from error
    if not host or parts.query or parts.fragment or parts.username is not None:
        raise InvalidConfig(f"{name} must be as https://stems.example, got {url!r}.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise InvalidConfig(
            f"{name} must begin with https://, or name this machine itself: browsers keep a "
            f"session over TLS only; got {url!r}."
        )
    return parts


def _admins(text: str) -> frozenset[str]:
    try:
        return frozenset(plain_email(each) for each in text.split(",") if each.strip())
    except InvalidConfig as error:
        raise InvalidConfig(f"STEMSET_ADMINS: {error}") from error
