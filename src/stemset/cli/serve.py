"""``stemset serve``: the API and all that it coordinates, until it is told to stop."""

import os
from pathlib import Path

from stemset.api.serve import DEFAULT_LAN_PORT, DEFAULT_PORT, Lan, Serving, serve
from stemset.cli.port import chosen_port
from stemset.config import load_settings
from stemset.errors import InvalidConfig


def run_serve(
    *,
    host: str | None,
    port: int | None,
    lan: bool,
    lan_address: str | None,
    lan_port: int | None,
    data: Path | None,
    computes: bool,
    config: Path | None,
) -> int:
    """Run the service. Returns the exit code.

    Args:
        host: Address to listen on; None means ``STEMSET_HOST``, or loopback.
        port: Port to listen on; None means ``PORT``, or 8080.
        lan: Whether phones on the same network come in, encrypted.
        lan_address: Address that they come in on; None means this machine's own in its network.
        lan_port: Port that they come in on; None means 8443.
        data: The data folder; None means ``STEMSET_DATA_DIR``, or the user's own.
        computes: Whether profiles that are not remote are worked off here.
        config: The configuration file that was named.
    """
    settings = load_settings(config, data=data)
    chosen = host or os.environ.get("STEMSET_HOST") or "127.0.0.1"
    phones = _phones_door(lan_address, lan_port, is_wanted=lan)
    return serve(settings, Serving(chosen, chosen_port(port, DEFAULT_PORT), computes, phones))


def _phones_door(address: str | None, port: int | None, *, is_wanted: bool) -> Lan | None:
    if is_wanted:
        return Lan(address, DEFAULT_LAN_PORT if port is None else port)
    if address is not None or port is not None:
        raise InvalidConfig("--lan-address and --lan-port say where phones come in: add --lan.")
    return None
