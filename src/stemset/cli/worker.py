"""``stemset worker``: take orders over HTTP until it is told to stop."""

import os
from pathlib import Path

from stemset.config import load_settings
from stemset.errors import InvalidConfig
from stemset.worker.serve import DEFAULT_PORT, serve


def run_worker(*, host: str, port: int | None, config: Path | None) -> int:
    """Run the worker. Returns the exit code.

    Args:
        host: Address to listen on.
        port: Port to listen on; None means ``PORT`` of the environment, or 8000.
        config: The configuration file that was named.
    """
    settings = load_settings(config)
    scratch = os.environ.get("STEMSET_SCRATCH_DIR") or None
    return serve(settings, host=host, port=_port() if port is None else port, scratch=scratch)


def _port() -> int:
    text = os.environ.get("PORT") or str(DEFAULT_PORT)
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):  # noqa: PLR2004 - TCP's own
        raise InvalidConfig(f"PORT must be a port number, got {text!r}.")
    return int(text)
