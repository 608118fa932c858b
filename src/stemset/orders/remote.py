"""Has orders carried out by a worker, over HTTP.

A worker may be asleep, starting, busy, or behind a connection that breaks; none of that ends an
attempt. The order is posted until a stream of reports begins, and posted again, the same attempt,
until a last report has come: the worker lets it join what is running. A call that was given up has
cancelled nothing.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import uuid4

import httpx

from stemset.errors import DeadlinePassed, InvalidConfig, StemsetError
from stemset.orders import _answers, signing
from stemset.orders._answers import TryAgain, translated
from stemset.orders._course import WAKING_EVERY_S, Course
from stemset.orders._patience import Patience
from stemset.orders.checks import Check, Checked, parse_checked
from stemset.orders.messages import Links, Message, Order, Report, utc
from stemset.orders.runner import MakeLinks

PATIENCE_S = 600.0
READ_TIMEOUT_S = 45.0
"""A worker says something every 15 s at least."""

Answer = TypeVar("Answer")

_CONNECT_TIMEOUT_S = 10.0
_PROMPT_S = 1.0
_CANCEL_PATIENCE_S = 30.0
_CHECK_PATIENCE_S = 60.0
_GRACE_S = 30.0  # the worker's own end at the deadline is on its way


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker says of itself.

    Attributes:
        version: The Stemset that it runs, None if it does not say.
        device: What it computes on, None if it does not say.
    """

    version: object
    device: object


class RemoteRunner:
    """A runner whose worker is at the other end of a URL. Used within one event loop."""

    def __init__(
        self,
        url: str,
        secrets: Sequence[str],
        *,
        patience_s: float = PATIENCE_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Know the worker; nothing is called yet.

        Args:
            url: Its address.
            secrets: The shared secrets, the signing one first; none if it asks for none.
            patience_s: It is given up after so long without a sign of life.
            read_timeout_s: A stream that says nothing for so long is broken.

        Raises:
            InvalidConfig: The URL is none.
        """
        parts = _split(url)
        self._url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
        self._secrets = tuple(secrets)
        self._patience_s = patience_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(read_timeout_s, connect=_CONNECT_TIMEOUT_S),
            auth=_credentials(parts),
            headers={"accept-encoding": "identity"},  # what compresses a stream holds it back
            follow_redirects=False,
            mounts=_never_by_proxy(parts),
        )

    async def run(
        self, order: Order, make_links: MakeLinks | None = None
    ) -> AsyncGenerator[Report, None]:
        """Have an order carried out, or join it; see ``Runner.run``.

        While no worker answers, reports with the phase ``waking`` and ``seq`` -1 come every few
        seconds.

        Raises:
            WorkerUnreachable: No worker answered for as long as was waited.
            WorkerBusy: It was at other jobs up to the deadline.
            WorkerRefused: The secret or a clock is wrong.
            DeadlinePassed: It works on, long after the order's deadline.
            StemsetError: It refuses the order, or links could not be made.
        """
        patience = Patience(self._url, self._patience_s, order.deadline)
        course = Course(order)
        while True:
            pause_s = 0.0
            try:
                async with aclosing(self._try(order, make_links, patience, course)) as told:
                    async for report in told:
                        yield report
                        if report.is_last:
                            return
            except TryAgain as again:
                pause_s = patience.pause_s(again)
            while pause_s > 0:
                if waking := course.waking():
                    yield waking
                await asyncio.sleep(min(pause_s, WAKING_EVERY_S))
                pause_s -= WAKING_EVERY_S

    async def cancel(self, job_id: str) -> None:
        """End a job's running attempt; one that the worker does not know is no error.

        Raises:
            WorkerUnreachable: No worker answered.
            WorkerRefused: The secret or a clock is wrong.
        """
        path = f"/process/{job_id}"
        subject = signing.subject("DELETE", path)
        patience = Patience(self._url, min(self._patience_s, _CANCEL_PATIENCE_S))
        await _insist(
            lambda: self._call("DELETE", path, f"cancel-{job_id}", signed=subject), patience
        )

    async def wake(self) -> WorkerFacts:
        """Wake the worker before there is an order for it, and return when it is ready.

        Raises:
            WorkerUnreachable: No worker answered for as long as was waited.
        """
        patience = Patience(self._url, self._patience_s)
        return await _insist(self._facts, patience)

    async def check(self, check: Check) -> Checked | None:
        """Ask the worker about itself.

        Returns:
            Its answer; None from a worker of a version that is not asked so.

        Raises:
            WorkerUnreachable: No worker answered.
            WorkerRefused: The secret or a clock is wrong.
            StemsetError: It refuses the question.
        """
        patience = Patience(self._url, min(self._patience_s, _CHECK_PATIENCE_S))
        message_id = f"check-{uuid4().hex}"
        return await _insist(lambda: self._check(check, message_id), patience)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _try(
        self, order: Order, make_links: MakeLinks | None, patience: Patience, course: Course
    ) -> AsyncGenerator[Report, None]:
        """Wake the worker, post the order, and follow it for as long as the stream lasts."""
        async with aclosing(self._wake(course)) as wakings:
            async for waking in wakings:
                yield waking
        async with self._posted(order) as answer, aclosing(_answers.lines(answer)) as lines:
            async for line in lines:
                _check_deadline(order, patience)
                report = course.read(line)
                if report is None:
                    continue
                patience.heard()
                if make_links is not None and course.asks(report):
                    await self._answer(report, make_links)
                    course.answered(report)
                if (news := course.news(report)) is not None:
                    patience.moved()
                    yield news
        raise TryAgain("the stream ended without a last report")

    async def _wake(self, course: Course) -> AsyncGenerator[Report, None]:
        """Ask once whether the worker is ready; it may be started by being asked."""
        poll = asyncio.create_task(self._call("GET", "/readyz"))
        try:
            while not (await asyncio.wait({poll}, timeout=_PROMPT_S))[0]:
                if waking := course.waking():
                    yield waking
            poll.result()
        finally:
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)

    @asynccontextmanager
    async def _posted(self, order: Order) -> AsyncIterator[httpx.Response]:
        body = order.line()
        headers = self._headers(f"{order.job_id}-{order.attempt}", body)
        url = f"{self._url}/process"
        with translated():
            async with self._client.stream("POST", url, content=body, headers=headers) as answer:
                await _answers.check(answer, self._url, signed=bool(self._secrets))
                yield answer

    async def _answer(self, report: Report, make_links: MakeLinks) -> None:
        """Send the links that an attempt wants."""
        try:
            urls = await make_links(report.wanted)
        except StemsetError:
            with suppress(StemsetError):  # it would wait for an answer that never comes
                await self.cancel(report.job_id)
            raise
        links = Links(
            job_id=report.job_id, attempt=report.attempt, seq=report.seq, urls=tuple(urls)
        )
        message_id = f"{report.job_id}-{report.attempt}-links-{report.seq}"
        await self._call("POST", f"/process/{report.job_id}/links", message_id, message=links)

    async def _facts(self) -> WorkerFacts:
        """Ask once whether the worker is ready, and for what it says of itself."""
        with translated():
            async with self._client.stream("GET", f"{self._url}/readyz") as answer:
                await _answers.check(answer, self._url, signed=bool(self._secrets))
                facts = await _answers.facts(answer)
        return WorkerFacts(facts.get("version"), facts.get("device"))

    async def _check(self, check: Check, message_id: str) -> Checked | None:
        body = check.line()
        headers = self._headers(message_id, body)
        with translated():
            call = self._client.stream("POST", f"{self._url}/check", content=body, headers=headers)
            async with call as answer:
                if answer.status_code == _answers.NOT_FOUND:
                    return None
                await _answers.check(answer, self._url, signed=bool(self._secrets))
                return parse_checked(await _answers.beginning(answer))

    async def _call(
        self,
        method: str,
        path: str,
        message_id: str = "",
        *,
        message: Message | None = None,
        signed: bytes = b"",
    ) -> None:
        """Make a call whose answer says nothing but yes; a job that is not there is one, too."""
        body = message.line() if message else b""
        headers = self._headers(message_id, body or signed) if message_id else {}
        with translated():
            call = self._client.stream(
                method, f"{self._url}{path}", content=body or None, headers=headers
            )
            async with call as answer:
                if message_id and answer.status_code in {202, 204, _answers.NOT_FOUND}:
                    return
                await _answers.check(answer, self._url, signed=bool(self._secrets))

    def _headers(self, message_id: str, signed: bytes) -> dict[str, str]:
        headers = signing.sign(self._secrets, message_id, signed, time.time())
        return {**headers, "content-type": "application/json"}


def _check_deadline(order: Order, patience: Patience) -> None:
    """Give a worker up that works on for ever."""
    if patience.late_s > _GRACE_S:
        raise DeadlinePassed(
            f"The deadline, {utc(order.deadline)}, passed, and the worker goes on."
        )


def _split(url: str) -> SplitResult:
    with suppress(ValueError, httpx.InvalidURL):
        httpx.URL(url)
        parts = urlsplit(url)
        rest = parts.query or parts.fragment
        if parts.scheme in {"http", "https"} and parts.hostname and not rest:
            return parts
    raise InvalidConfig(
        "The worker's URL (GPU_WORKER_URL or gpu_worker_url) must begin with http:// or https://, "
        "name a host, and hold nothing behind its path."
    )


async def _insist(call: Callable[[], Awaitable[Answer]], patience: Patience) -> Answer:
    """Call until it is answered, or patience is over."""
    while True:
        try:
            return await call()
        except TryAgain as again:
            await asyncio.sleep(patience.pause_s(again))


def _credentials(parts: SplitResult) -> tuple[str, str] | None:
    """What stands before the host: out of the URL, so that no message or log shows it."""
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def _never_by_proxy(parts: SplitResult) -> dict[str, None]:
    """A worker on this machine is reached directly, whatever proxies the environment names."""
    host = parts.hostname or ""
    with suppress(ValueError):
        address = ip_address(host)
        bracketed = f"[{host}]" if address.version == 6 else host  # noqa: PLR2004 - IPv6
        return {f"all://{bracketed}": None} if address.is_loopback else {}
    return {f"all://{host}": None} if host == "localhost" else {}
