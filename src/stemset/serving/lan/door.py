"""The phones' door: a socket on the local network, and what it takes to answer there."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stemset.serving.lan.addresses import lan_address, local_name
from stemset.serving.lan.certificates import Certified, certified
from stemset.serving.listening import listen_on, url_of

FOLDER = "lan"
"""Of the data folder: keys and certificates."""


@dataclass(frozen=True, slots=True)
class LanDoor:
    """An open door.

    Attributes:
        listener: The socket that listens.
        url: Its address.
        names: What a call's ``Host`` may name: this machine, and nothing that a web page could
            have point here.
        certified: Its certificate.
    """

    listener: socket.socket
    url: str
    names: frozenset[str]
    certified: Certified


@contextmanager
def opened_lan_door(data: Path, named: str | None, port: int) -> Iterator[LanDoor]:
    """Open the door; who calls before it is served waits and is not refused.

    Args:
        data: The service's data folder.
        named: The address to listen on, None for this machine's own in its network.
        port: The port, 0 for any that is free.

    Raises:
        AddressInUse: Something else listens there.
        InvalidConfig: There is no such address, or the authority that is kept is none.
        OutputUnwritable, NoSpace: The data folder cannot be written to.
    """
    address = lan_address(named)
    names = [address, *filter(None, [local_name(socket.gethostname())])]
    with listen_on(address, port, another_port="--lan-port") as listener:
        made = certified(data / FOLDER, names, datetime.now(UTC))
        yield LanDoor(listener, url_of(listener, "https"), frozenset(names), made)
