"""Callbacks: the last report, posted to where the order said, a few times at most.

A callback is a hint: who ordered recovers the end from the attempt's manifest if none arrives.
"""

import asyncio
import time
from collections.abc import Sequence

import httpx

from stemset import __version__
from stemset.orders import signing
from stemset.orders.messages import Report
from stemset.telemetry import crash_point, get_logger

_log = get_logger("worker")

WAITS_S = (1.0, 30.0)
"""Before the second and the third try. With the limit of a try below, all ends within 61 s."""

TRY_WITHIN_S = 10.0


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

    def send(self, url: str, report: Report) -> None:
        """Begin to post a report; the log says what becomes of it."""
        task = asyncio.create_task(self._post_until_taken(url, report))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, within_s: float) -> None:
        """Give up what was not taken within so many seconds."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=within_s)
        for task in late:
            task.cancel()
            await asyncio.wait([task])

    async def _post_until_taken(self, url: str, report: Report) -> None:
        crash_point("before-callback")
        try:
            taken = await self._try_all(url, report)
        except asyncio.CancelledError:
            taken = False
        if not taken:
            _log.warning("Callback given up: the manifest decides", url=url)
        crash_point("after-callback")

    async def _try_all(self, url: str, report: Report) -> bool:
        client = await asyncio.to_thread(httpx.AsyncClient)  # it reads certificates from the disk
        async with client:
            for number, wait_s in enumerate(self._waits_s, 1):
                await asyncio.sleep(wait_s)
                _log.info(f"Calling back to: {url}", url=url, number=number)
                outcome = await self._try(client, url, report)
                _log.info(f"Callback: {outcome}", url=url, number=number)
                if isinstance(outcome, int) and 200 <= outcome < 300:  # noqa: PLR2004 - HTTP's own
                    return True
        return False

    async def _try(self, client: httpx.AsyncClient, url: str, report: Report) -> int | str:
        """Post once; the answer's status, or what went wrong. Of the answer only that is read."""
        body = report.line().rstrip()
        message_id = f"callback-{report.job_id}-{report.attempt}"
        headers = {
            "content-type": "application/json",
            "user-agent": f"stemset/{__version__}",
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
