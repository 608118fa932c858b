"""The real S3 server of the tests (`scripts/s3-server`), and what can be done to it."""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from stemset.storage._sigv4 import presign
from stemset.storage.settings import StoreSettings

SCRIPT = Path(__file__).parents[2] / "scripts" / "s3-server"
_WAIT_S = 30.0


class S3Server:
    """A running server.

    Attributes:
        endpoint: The gateway's address.
        access_key_id: The key that owns every bucket.
        secret_access_key: Its secret.
    """

    def __init__(self, folder: Path) -> None:
        """Start a server in an empty folder."""
        self._folder = folder
        facts = dict(line.split("=", 1) for line in run_script("up", str(folder)).splitlines())
        self.endpoint = facts["endpoint"]
        self.access_key_id = facts["access_key_id"]
        self.secret_access_key = facts["secret_access_key"]

    def new_bucket(self) -> StoreSettings:
        """Make an empty bucket."""
        settings = StoreSettings(
            kind="s3",
            bucket=f"test-{uuid.uuid4().hex}",
            endpoint=self.endpoint,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
        )
        url = presign(settings, "PUT", "", {}, expires_s=60, now=datetime.now(UTC))
        httpx.put(url, timeout=_WAIT_S, trust_env=False).raise_for_status()
        return settings

    def limit_bucket(self, bucket: str, limit_bytes: int | None) -> None:
        """Give a bucket a quota, or take it away."""
        scope = ("--quota-scope=bucket", f"--bucket={bucket}")
        if limit_bytes is None:
            self._admin("quota", "disable", *scope)
        else:
            self._admin("quota", "set", *scope, f"--max-size={limit_bytes}")
            self._admin("quota", "enable", *scope)

    def stop_gateway(self) -> None:
        """Kill the gateway: connections are refused from now on."""
        os.kill(self._gateway_pid, signal.SIGKILL)
        limit = time.monotonic() + _WAIT_S
        while self._answers():
            assert time.monotonic() < limit, "the gateway does not end"
            time.sleep(0.02)

    def start_gateway(self) -> None:
        """Start it again; returns when it answers."""
        run_script("gateway", str(self._folder))

    def freeze(self) -> None:
        """Stop the gateway's clock: connections are taken, and nothing is answered."""
        os.kill(self._gateway_pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._gateway_pid, signal.SIGCONT)

    def mend(self) -> None:
        """Make it answer again, whatever an earlier test did to it."""
        if self._answers():
            self.thaw()
        else:
            self.start_gateway()

    def stop(self) -> None:
        """End its processes and remove its data."""
        run_script("down", str(self._folder))
        shutil.rmtree(self._folder)

    @property
    def _gateway_pid(self) -> int:
        return int((self._folder / "rgw.pid").read_text())

    def _answers(self) -> bool:
        """Whether connections are taken, as they are by a frozen gateway as well."""
        address = urlsplit(self.endpoint)
        try:
            socket.create_connection((address.hostname, address.port), timeout=_WAIT_S).close()
        except ConnectionError:
            return False
        return True

    def _admin(self, *arguments: str) -> None:
        run_script("admin", str(self._folder), *arguments)


@contextmanager
def running_server(folder: Path) -> Iterator[S3Server]:
    """Install the server if need be, start it, and end it at last."""
    run_script("install")
    server = S3Server(folder)
    try:
        yield server
    finally:
        server.stop()


def run_script(*arguments: str) -> str:
    """Run the script; returns what it prints. What goes wrong is its own message."""
    result = subprocess.run(
        [SCRIPT, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, f"s3-server {arguments[0]}: {result.stdout}{result.stderr}"
    return result.stdout
