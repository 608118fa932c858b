"""The listening socket, opened before anything else, so that a taken port is said at once."""

import errno
import socket

from stemset.errors import AddressInUse, InvalidConfig

_BACKLOG = 2048  # as uvicorn has it; the system may have less


def listen_on(host: str, port: int, *, another_port: str = "--port or PORT") -> socket.socket:
    """Open a socket; who calls before it is served waits and is not refused.

    Args:
        host: A name or address of this machine.
        port: The port, 0 for any that is free.
        another_port: What a person chooses another one with.

    Raises:
        AddressInUse: Something else listens there.
        InvalidConfig: It is no address of this machine, or may not be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol's number asyncio knows it for TCP and sends each line at once.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InvalidConfig(f"Cannot listen on {host}: {error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(
                f"Port {port} of {host} is in use by another program. Stop that one, or choose "
                f"another port with {another_port}."
            ) from error
        raise InvalidConfig(f"Cannot listen on port {port} of {host}: {error}.") from error
    return listener


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """The address that was bound, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
