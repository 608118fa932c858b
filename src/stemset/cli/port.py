"""The port that a server is to listen on."""

import os

from stemset.errors import InvalidConfig


def chosen_port(named: int | None, default: int) -> int:
    """The port of the command line, else ``PORT`` of the environment, else the default.

    Raises:
        InvalidConfig: ``PORT`` is no port number.
    """
    if named is not None:
        return named
    text = os.environ.get("PORT") or str(default)
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):  # noqa: PLR2004 - TCP's own
        raise InvalidConfig(f"PORT must be a port number, got {text!r}.")
    return int(text)
