"""A platform that puts a worker to sleep, as scale-to-zero platforms do.

It stands before the worker as its edge: a request wakes it (which takes a while, during which the
request waits), and when for the idle period no request came and none was held, the worker is told
to stop. What the worker computes meanwhile does not count. A worker that dies is started again at
once. Like such a platform it asks money for every second from the moment in which it begins to
start an instance to the one in which that has stopped, whatever went on inside.
"""

import asyncio
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Self

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

StartWorker = Callable[[int], "subprocess.Popen[bytes]"]

_METHODS = ["GET", "POST", "DELETE"]
_LOOK_EVERY_S = 0.02
_UP_WITHIN_S = 30.0
_DOWN_WITHIN_S = 15.0


class SleepingPlatform:
    """The edge, the clock, and the worker behind them.

    Attributes:
        wakes: How often the worker was started.
        restarts: How often it had died, and was started again.
        awake_s: What it asks money for: how long instances were there that have stopped by now.
        slept_at_work: How often it was put to sleep although it was at work.
    """

    def __init__(
        self, start_worker: StartWorker, *, wake_s: float, idle_s: float, stop_s: float = 0.0
    ) -> None:
        """Set up; the worker sleeps.

        Args:
            start_worker: Starts the worker on a port.
            wake_s: How long the platform takes before it starts it.
            idle_s: The idle period.
            stop_s: How long it takes to remove an instance, in which its worker has time to end.
        """
        self.wakes = 0
        self.restarts = 0
        self.awake_s = 0.0
        self.slept_at_work = 0
        self._start_worker = start_worker
        self._wake_s = wake_s
        self._idle_s = idle_s
        self._stop_s = stop_s
        self._worker: subprocess.Popen[bytes] | None = None
        self._worker_port = 0
        self._billed_since = 0.0
        self._held = 0
        self._last_traffic = time.monotonic()
        self._waking = asyncio.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        app = Starlette(routes=[Route("/{path:path}", self._pass_on, methods=_METHODS)])
        config = uvicorn.Config(app, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)

    @property
    def url(self) -> str:
        """The worker's address, as its callers know it."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def asleep(self) -> bool:
        """Whether no worker runs."""
        return self._worker is None

    def wait_until_asleep(self, timeout_s: float) -> None:
        """Wait until the worker was put to sleep."""
        limit = time.monotonic() + timeout_s
        while not self.asleep:
            assert time.monotonic() < limit, "the worker was not put to sleep"
            time.sleep(_LOOK_EVERY_S)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join()
        self._socket.close()

    async def _serve(self) -> None:
        clock = asyncio.create_task(self._put_to_sleep())
        await self._server.serve(sockets=[self._socket])
        clock.cancel()
        with suppress(asyncio.CancelledError):
            await clock
        await self._stop()

    async def _pass_on(self, request: Request) -> Response:
        body = await request.body()
        self._held += 1
        try:
            await self._wake()
            client = _client()
            passed = client.build_request(
                request.method,
                f"http://127.0.0.1:{self._worker_port}{request.url.path}",
                content=body,
                headers=request.headers.raw,
            )
            answer = await client.send(passed, stream=True)
        except BaseException:
            self._let_go()
            raise
        return StreamingResponse(
            self._answer(client, answer), answer.status_code, dict(answer.headers)
        )

    async def _answer(
        self, client: httpx.AsyncClient, answer: httpx.Response
    ) -> AsyncIterator[bytes]:
        try:
            with suppress(httpx.HTTPError):  # the worker is gone: the caller sees the stream end
                async for block in answer.aiter_raw():
                    yield block
        finally:
            self._let_go()
            await client.aclose()

    def _let_go(self) -> None:
        self._held -= 1
        self._last_traffic = time.monotonic()

    async def _wake(self) -> None:
        async with self._waking:
            if self._worker is not None:
                await self._keep_alive()
                return
            self.wakes += 1
            self._billed_since = time.monotonic()
            await asyncio.sleep(self._wake_s)
            await self._start()

    async def _start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._worker_port = free.getsockname()[1]
        self._worker = self._start_worker(self._worker_port)
        await self._until_it_listens()

    async def _keep_alive(self) -> None:
        """Start a worker again that has died."""
        if self._worker is not None and self._worker.poll() is not None:
            self.restarts += 1
            await self._start()

    async def _until_it_listens(self) -> None:
        limit = time.monotonic() + _UP_WITHIN_S
        while time.monotonic() < limit:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._worker_port)
                writer.close()
                return
            await asyncio.sleep(0.02)
        message = "the worker does not listen"
        raise TimeoutError(message)

    async def _put_to_sleep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            async with self._waking:
                await self._keep_alive()
                idle_s = time.monotonic() - self._last_traffic
                if self._worker is not None and not self._held and idle_s > self._idle_s:
                    self.slept_at_work += await self._is_at_work()
                    await self._stop()

    async def _is_at_work(self) -> bool:
        async with _client() as client:
            answer = await client.get(f"http://127.0.0.1:{self._worker_port}/readyz")
        return bool(answer.json()["busy"])

    async def _stop(self) -> None:
        if self._worker is None:
            return
        began = time.monotonic()
        self._worker.terminate()
        try:
            await asyncio.to_thread(self._worker.wait, _DOWN_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            await asyncio.to_thread(self._worker.wait)
        await asyncio.sleep(began + self._stop_s - time.monotonic())
        self.awake_s += time.monotonic() - self._billed_since
        self._worker = None


def _client() -> httpx.AsyncClient:
    """An edge waits for as long as it takes, and reads no certificates on the way."""
    return httpx.AsyncClient(timeout=None, trust_env=False, verify=False)  # noqa: S113, S501 - loopback
