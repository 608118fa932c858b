"""``stemset serve --lan``: what is refused, and what a person at the terminal sees."""

import json
import os
import pty
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from program import Ended, Program

WITHIN_S = 60
ADDRESS = "127.0.0.2"
LAN = ("--lan", "--lan-address", ADDRESS, "--lan-port", "0")
# Nothing listens there: what is refused is refused before the database is asked.
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


def serve(folder: Path, *arguments: str, **environ: str) -> Ended:
    program = Program(folder)
    own = ("serve", "--port", "0", "--data", "data")
    return program(*own, *arguments, env={"DATABASE_URL": NO_DATABASE, **environ})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--lan", "--host", "0.0.0.0"), "--host 0.0.0.0 would let others in without"),  # noqa: S104 - refused
        (("--lan-port", "8443"), "add --lan"),
        (("--lan-address", ADDRESS), "add --lan"),
        (("--lan", "--lan-address", "band.local"), "'band.local' is no IP address"),
        (("--lan", "--lan-address", "192.0.2.1"), "Cannot listen on port 8443 of 192.0.2.1"),
        (("--lan", "--lan-port", "99999"), "less than or equal to 65535"),
    ],
)
def test_door_for_phones_that_cannot_be_is_refused_with_the_reason(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
):
    ended = serve(tmp_path, *arguments)

    assert ended.code == 2
    assert reason in ended.err
    assert "Traceback" not in ended.err


def test_door_for_phones_beside_a_host_of_the_environment_is_refused(tmp_path: Path):
    ended = serve(tmp_path, *LAN, STEMSET_HOST="::")

    assert (ended.code, "Leave --host and STEMSET_HOST out" in ended.err) == (2, True)


def test_port_for_phones_that_is_taken_is_said_with_the_option_for_another(tmp_path: Path):
    with closing(socket.create_server((ADDRESS, 0))) as taken:
        port = taken.getsockname()[1]

        ended = serve(tmp_path, "--lan", "--lan-address", ADDRESS, "--lan-port", str(port))

    assert ended.code == 2
    assert f"Port {port} of {ADDRESS} is in use" in ended.err
    assert "another port with --lan-port." in ended.err


def test_log_file_says_where_phones_come_in_and_holds_no_code(
    tmp_path: Path, database_conninfo: str
):
    log = tmp_path / "serve.log"
    with log.open("wb") as stderr, running(tmp_path, database_conninfo, stderr):
        limit = time.monotonic() + WITHIN_S
        while "Phones find the service" not in (text := log.read_text()):
            assert time.monotonic() < limit, text
            time.sleep(0.05)

    (line,) = [json.loads(each) for each in log.read_text().splitlines() if "Phones find" in each]
    assert line["url"].startswith(f"https://{ADDRESS}:")
    assert ADDRESS in line["names"]
    assert len(line["authority_sha256"].split(":")) == 32
    assert "/pair#" not in log.read_text()
    assert "\x1b" not in log.read_text()


@contextmanager
def running(folder: Path, conninfo: str, stderr: int | BinaryIO, **environ: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "stemset", "serve", "--port", "0", "--data", "data", *LAN],
        cwd=folder,
        env={**os.environ, "DATABASE_URL": conninfo, **environ},
        stdin=subprocess.DEVNULL,
        stderr=stderr,
    )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0
    finally:
        process.kill()
        process.wait()


class Terminal:
    """A service's terminal: what it shows."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._text = ""
        self._has_more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        with self._has_more:
            shown = self._has_more.wait_for(lambda: re.search(pattern, self._text), WITHIN_S)
        assert shown, self._text
        return shown

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._descriptor, 4096)
            except OSError:
                return
            with self._has_more:
                self._text += part.decode("utf-8", "replace")
                self._has_more.notify_all()


@contextmanager
def in_terminal(folder: Path, conninfo: str, columns: int) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    try:
        with running(folder, conninfo, theirs, TERM="xterm", COLUMNS=str(columns)):
            os.close(theirs)
            yield Terminal(ours)
    finally:
        os.close(ours)


@pytest.mark.parametrize(("columns", "shows_code"), [(100, True), (30, False)])
def test_terminal_shows_a_code_that_pairs_a_phone(
    tmp_path: Path, database_conninfo: str, columns: int, shows_code: bool
):
    with in_terminal(tmp_path, database_conninfo, columns) as terminal:
        shown = terminal.wait_for(r"  (https://[\d.]+:\d+)/pair#(\S+)\s[\s\S]*until \d\d:\d\d")

        assert ("\x1b[40;97m█" in shown.string) is shows_code
        address, code = shown.groups()
        authority = httpx.get(f"{local_url(terminal)}/api/pairing/authority.crt", trust_env=False)
        with httpx.Client(verify=trusting(authority.content), trust_env=False) as phone:
            answer = phone.post(f"{address}/api/pairing", json={"code": code})
            assert answer.status_code == 200, answer.text
            assert phone.get(f"{address}/api/jobs").status_code == 200


def local_url(terminal: Terminal) -> str:
    return terminal.wait_for(r"Service ready on (http://127\.0\.0\.1:\d+)")[1]


def trusting(authority: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority)
