"""``stemset worker``: take orders over HTTP until it is told to stop."""

import os
from pathlib import Path

from stemset.cli.port import chosen_port
from stemset.config import load_settings
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
    return serve(settings, host=host, port=chosen_port(port, DEFAULT_PORT), scratch=scratch)
