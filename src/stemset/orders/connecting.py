"""Why no connection was made: what lies below an HTTP client's error."""

import socket
import ssl
from collections.abc import Iterator

_NO_TLS = (ssl.SSLError, ssl.SSLCertVerificationError)  # other kinds: a connection that broke


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, and so on."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        first = seen.exceptions[0] if isinstance(seen, ExceptionGroup) else None
        seen = first or seen.__cause__ or seen.__context__


def is_no_tls(cause: BaseException) -> bool:
    """Whether no TLS connection that can be trusted was made."""
    return type(cause) in _NO_TLS


def is_no_name(cause: BaseException) -> bool:
    """Whether a host's name could not be looked up, now or ever."""
    return isinstance(cause, socket.gaierror)
