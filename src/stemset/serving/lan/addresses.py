"""Where phones can reach this machine."""

import re
import socket
from collections.abc import Callable
from ipaddress import ip_address

from stemset.errors import InvalidConfig

# For documentation only: nothing is there. It makes the system choose the address that it would
# send from, and a datagram socket that is connected sends nothing.
_ANYWHERE = ("198.51.100.1", 9)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOW_TO_NAME_ONE = "Name one of this machine's addresses: --lan-address 192.168.1.5"


def lan_address(named: str | None, own: Callable[[], str | None] | None = None) -> str:
    """The address to listen on for phones.

    Args:
        named: The one that a person named; None for the one that this machine has in its network.
        own: Finds that; None if this machine is in no network.

    Raises:
        InvalidConfig: There is none, it is one of the internet, or no address of one interface.
    """
    if named is not None:
        return _checked(named)
    found = (own or _own_address)()
    if found is None:
        raise InvalidConfig(f"This machine is in no network that was found. {_HOW_TO_NAME_ONE}")
    if ip_address(found).is_global:
        raise InvalidConfig(
            f"This machine's address {found} is one of the internet, not of a local network. "
            f"{_HOW_TO_NAME_ONE}"
        )
    return found


def local_name(hostname: str) -> str | None:
    """The name under which a machine announces itself in its network, if it does (multicast DNS).

    Args:
        hostname: What it calls itself.
    """
    label = hostname.partition(".")[0].lower()
    return f"{label}.local" if _LABEL.fullmatch(label) else None


def _checked(named: str) -> str:
    try:
        address = ip_address(named)
    except ValueError:
        raise InvalidConfig(f"{named!r} is no IP address. {_HOW_TO_NAME_ONE}") from None
    if address.is_unspecified or address.is_multicast or "%" in named:
        raise InvalidConfig(f"{named} is not the address of one interface. {_HOW_TO_NAME_ONE}")
    return str(address)


def _own_address() -> str | None:
    """The address of this machine in the network that its default route leads into."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(_ANYWHERE)
            found = asking.getsockname()[0]
    except OSError:
        return None
    address = ip_address(found)
    return None if address.is_loopback or address.is_unspecified else found
