"""A stranger who opens more connections than a process may have descriptors, and holds them."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from deployment import free_port
from numpy.typing import NDArray
from running_parts import Part, wait_for
from service_deployment import ServiceDeployment, service
from short_takes import Takes

pytestmark = [pytest.mark.slow, pytest.mark.alone]

DESCRIPTORS = 400
HELD = 600
WITHIN_S = 10.0
WHOLE = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
BEGINNINGS = [b"", WHOLE[:20], WHOLE]
DOORS = {
    "serve": ("Service ready", "/readyz", ["--no-compute", "--port"]),
    "worker": ("Worker ready", "/readyz", ["--port"]),
    "consume": ("Consumer ready", "/metrics", ["--metrics-port"]),
}
OF_LIBRARIES = 20
"""Descriptors that stay open once they were needed: connections to the database, threads'."""


@pytest.fixture
def deployment(
    tmp_path: Path, database_conninfo: str, example: Path
) -> Iterator[ServiceDeployment]:
    del example
    with service(tmp_path / "service", database_conninfo) as made:
        yield made


@pytest.mark.parametrize("command", list(DOORS))
def test_stranger_who_holds_all_connections_holds_nobody_up(
    deployment: ServiceDeployment, song: NDArray[np.float32], command: str
) -> None:
    is_ready, path, arguments = DOORS[command]
    deployment.port = free_port()
    part = Part(
        [command, *arguments, str(deployment.port)],
        deployment.environment(),
        deployment.folder,
        deployment.folder / "limited.log",
        DESCRIPTORS,
    )
    deployment.parts.append(part)
    part.wait_line(is_ready)
    process = psutil.Process(part.process.pid)
    before = process.num_fds()

    with ExitStack() as stack:
        for number in range(HELD):
            address = ("127.0.0.1", deployment.port)
            held = stack.enter_context(socket.create_connection(address, timeout=WITHIN_S))
            begin = BEGINNINGS[number % len(BEGINNINGS)]
            held.sendall(begin)
            if begin == WHOLE:  # it is answered, and kept
                assert held.recv(1)
        began_s = time.monotonic()
        answers = [deployment.call("GET", path).status_code for _ in range(3)]
        if command == "serve":
            form = {"files": {"file": ("take.wav", Takes(song).wav(), "audio/wav")}}
            answers.append(deployment.call("POST", "/api/upload", **form).status_code)
        took_s = time.monotonic() - began_s
        most = process.num_fds()

    assert set(answers) == {httpx.codes.OK}
    assert took_s < WITHIN_S
    assert most < DESCRIPTORS
    wait_for(lambda: process.num_fds() <= before + OF_LIBRARIES, "connections end", part.log)
    assert "accepted" not in part.log.read_text("utf-8")
    assert len(part.lines("There are as many connections")) == 1
    assert part.terminate() == 0
