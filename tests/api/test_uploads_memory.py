"""That memory does not grow with the length of uploads, and little with their number."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from peak_memory import PEAK_MB
from upload_service import FORM, form, recording

pytestmark = pytest.mark.slow

CLIENTS = 200
FILE_MB = 5
LIMIT_MB = 300
BLOCK = 256 << 10

PROGRAM = (
    PEAK_MB
    + """
from upload_service import running_uploads
from stemset.telemetry import configure_logs

configure_logs()  # to standard error
with running_uploads(sys.argv[1], Path(sys.argv[2])) as service:
    print(service.port, flush=True)
    sys.stdin.read()
    print(peak_mb())
"""
)


def test_many_uploads_at_once_take_little_memory(database_conninfo: str, tmp_path: Path):
    # All have arrived to their last block before the first one ends.
    data = recording(seconds=FILE_MB * 1_000_000 / 16_000)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, database_conninfo, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        statuses = asyncio.run(send_all(port, form(data)))
        peak_mb = int(server.communicate(timeout=60)[0])

    assert statuses == [200] * CLIENTS
    assert peak_mb < LIMIT_MB


async def send_all(port: int, body: bytes) -> list[int]:
    almost = asyncio.Barrier(CLIENTS)
    async with asyncio.timeout(300):
        return await asyncio.gather(*(send(port, body, almost) for _ in range(CLIENTS)))


async def send(port: int, body: bytes, almost: asyncio.Barrier) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /api/upload HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
        f"content-type: {FORM}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode())
    most = len(body) - BLOCK
    for start in range(0, most, BLOCK):
        writer.write(body[start : min(start + BLOCK, most)])
        await writer.drain()
    await almost.wait()
    writer.write(body[most:])
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])
