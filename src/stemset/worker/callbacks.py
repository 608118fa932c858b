"""Callbacks: the last report, posted to where the order said, a few times at most.

``reach`` tries beforehand whether they would arrive.

A callback is a hint: who ordered recovers the end from the attempt's manifest if none arrives.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress

import httpx

from stemset import __version__
from stemset.orders import signing
from stemset.orders.checks import Called, CallEnd
from stemset.orders.connecting import causes, is_no_name, is_no_tls
from stemset.orders.messages import Report
from stemset.telemetry import crash_point, get_logger
from stemset.worker import metrics

_log = get_logger("worker")

WAITS_S = (1.0, 30.0)
"""Before the second and the third try. With the limit of a try below, all ends within 61 s."""

TRY_WITHIN_S = 10.0

_READ_BYTES = 1024
_USER_AGENT = f"stemset/{__version__}"
# What is compressed could be far longer than what is read of it.
_ASKING = {"user-agent": _USER_AGENT, "accept-encoding": "identity"}


class Callbacks:
    """Posts last reports in the background."""

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        waits_s: Sequence[float] = WAITS_S,
        try_within_s: float = TRY_WITHIN_S,
    ) -> None:
        """Begin with nothing to post.

        Args:
            secrets: Secrets, the signing one first; without one, callbacks are not signed.
            waits_s: Pauses between tries: one try more than there are pauses.
            try_within_s: How long a try may take.
        """
        self._secrets = secrets
        self._waits_s = (0.0, *waits_s)
        self._try_within_s = try_within_s
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, url: str, report: Report, request_id: str | None = None) -> None:
        """Begin to post a report; the log says what becomes of it.

        Args:
            url: Where to.
            report: The report.
            request_id: Names the call that the job came by, to whoever is called back.
        """
        task = asyncio.create_task(self._post_until_taken(url, report, request_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reach(self, url: str) -> Called:
        """Call the service once, on the way that callbacks take; redirects are not followed.

        Args:
            url: Where it says that it lives.
        """
        client = await asyncio.to_thread(httpx.AsyncClient)  # it reads certificates from the disk
        try:
            async with (
                client,
                asyncio.timeout(self._try_within_s),
                client.stream("GET", url, headers=_ASKING) as answer,
            ):
                is_alive = answer.status_code == httpx.codes.OK and await _says_alive(answer)
        except TimeoutError:
            return Called(end=CallEnd.TIMED_OUT)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Called(end=_end_of(error))
        end = CallEnd.ALIVE if is_alive else CallEnd.SOMETHING_ELSE
        return Called(end=end, status=answer.status_code)

    async def close(self, within_s: float) -> None:
        """Give up what was not taken within so many seconds."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=within_s)
        for task in late:
            task.cancel()
            await asyncio.wait([task])

    async def _post_until_taken(self, url: str, report: Report, request_id: str | None) -> None:
        crash_point("before-callback")
        try:
            taken = await self._try_all(url, report, request_id)
        except asyncio.CancelledError:
            taken = False
        metrics.CALLBACKS.labels("taken" if taken else "given_up").inc()
        if not taken:
            _log.warning("Callback given up: the manifest decides", url=url)
        crash_point("after-callback")

    async def _try_all(self, url: str, report: Report, request_id: str | None) -> bool:
        client = await asyncio.to_thread(httpx.AsyncClient)  # it reads certificates from the disk
        async with client:
            for number, wait_s in enumerate(self._waits_s, 1):
                await asyncio.sleep(wait_s)
                _log.info(f"Calling back to: {url}", url=url, number=number)
                outcome = await self._try(client, url, report, request_id)
                metrics.CALLBACK_TRIES.labels(_class_of(outcome)).inc()
                _log.info(f"Callback: {outcome}", url=url, number=number)
                if isinstance(outcome, int) and 200 <= outcome < 300:  # noqa: PLR2004 - HTTP's own
                    return True
        return False

    async def _try(
        self, client: httpx.AsyncClient, url: str, report: Report, request_id: str | None
    ) -> int | str:
        """Post once; the answer's status, or what went wrong. Of the answer only that is read."""
        body = report.line().rstrip()
        message_id = f"callback-{report.job_id}-{report.attempt}"
        headers = {
            "content-type": "application/json",
            "user-agent": _USER_AGENT,
            **({"x-request-id": request_id} if request_id else {}),
            **signing.sign(self._secrets, message_id, body, time.time()),
        }
        try:
            async with (
                asyncio.timeout(self._try_within_s),
                client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                return answer.status_code
        except TimeoutError:
            return f"no answer within {self._try_within_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return str(error) or type(error).__name__


def _class_of(outcome: int | str) -> str:
    return f"{outcome // 100}xx" if isinstance(outcome, int) else "none"


async def _says_alive(answer: httpx.Response) -> bool:
    body = b""
    async for part in answer.aiter_raw():
        body += part
        if len(body) > _READ_BYTES:
            return False
    with suppress(ValueError):
        said: object = json.loads(body)
        return isinstance(said, dict) and said.get("status") == "alive"
    return False


def _end_of(error: Exception) -> CallEnd:
    if isinstance(error, httpx.TimeoutException):
        return CallEnd.TIMED_OUT
    for cause in causes(error):
        if is_no_name(cause):
            return CallEnd.NO_SUCH_HOST
        if is_no_tls(cause):
            return CallEnd.NO_TLS
    return CallEnd.REFUSED if isinstance(error, httpx.ConnectError) else CallEnd.BROKEN
