"""What everything that speaks HTTP agrees on."""

from collections.abc import Mapping
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself, without asking a name server."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def advised_pause_s(headers: Mapping[str, str], *, at_most_s: float) -> float:
    """The pause that an answer's ``Retry-After`` asks for, within reason; 0 for a date."""
    text = headers.get("Retry-After", "")
    return min(float(text), at_most_s) if text.isascii() and text.isdigit() else 0.0
