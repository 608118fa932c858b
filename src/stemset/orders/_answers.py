"""What a worker's answers, and the failures on the way to it, mean to the one who called."""

import json
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

import httpx

from stemset.errors import ClockSkewed, StemsetError, WorkerRefused, error_from
from stemset.orders.connecting import causes, is_no_name, is_no_tls
from stemset.orders.messages import MAX_MESSAGE_BYTES

OK = 200
NOT_FOUND = 404

_UNAUTHORISED = 401
_BUSY = 409
# The edge before a worker that sleeps, starts or stops; 520–530 are Cloudflare's own.
_NOT_NOW = {408, 425, 429, 502, 503, 504, 520, 521, 522, 523, 524, 525, 530}
_MAX_BODY_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 120
_CHECK_URL = "Check the worker's URL (GPU_WORKER_URL or gpu_worker_url)"
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class TryAgain(Exception):
    """No answer now; the same call may be answered later.

    Attributes:
        after_s: When the other side says that it is worth trying.
        busy: Whether the worker is there, but at another job.
        hopeless: Whether trying again helps only where a worker has answered before.
    """

    def __init__(
        self, cause: str, *, after_s: float = 0.0, busy: bool = False, hopeless: bool = False
    ) -> None:
        """Say why, in words that end without a full stop."""
        super().__init__(cause)
        self.after_s = after_s
        self.busy = busy
        self.hopeless = hopeless


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the HTTP client's errors mean.

    Raises:
        TryAgain: The connection was refused or broke, or nothing came for too long; hopeless if
            there is no such host, or no TLS connection that can be trusted.
    """
    try:
        yield
    except httpx.RequestError as error:
        chain = list(causes(error))
        if isinstance(error, httpx.ConnectError):
            _look_for_hopeless(chain)
        raise TryAgain(_in_words(error, chain[-1])) from error


def _look_for_hopeless(chain: Sequence[BaseException]) -> None:
    """Raise TryAgain if no connection will ever be made, as the address stands."""
    for cause in chain:
        if is_no_tls(cause):
            advice = "Check the scheme, the name and the certificate"
            raise TryAgain(f"no TLS connection: {cause}. {advice}", hopeless=True) from cause
        if is_no_name(cause) and getattr(cause, "errno", None) in _NO_SUCH_HOST:
            raise TryAgain(f"no such host. {_CHECK_URL}", hopeless=True) from cause


async def check(answer: httpx.Response, where: str, *, signed: bool) -> None:
    """Let an answer pass that is a worker's 200.

    Args:
        answer: Its body is read only if it does not pass.
        where: The worker's address, for messages.
        signed: Whether the call was signed.

    Raises:
        TryAgain: Not now; hopeless if this is no worker's answer.
        WorkerRefused: The secret or a clock is wrong.
        StemsetError: What the worker says in its answer.
    """
    if answer.status_code == OK and not _is_html(answer):
        return
    _refuse(answer, await beginning(answer), where, signed=signed)


async def facts(answer: httpx.Response) -> Mapping[str, object]:
    """The JSON object of an answer, empty if it holds none."""
    with suppress(ValueError):
        said: object = json.loads(await beginning(answer))
        if isinstance(said, dict):
            return said
    return {}


async def beginning(answer: httpx.Response) -> bytes:
    """What of an answer is worth reading."""
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            break
    return body


def _refuse(answer: httpx.Response, body: bytes, where: str, *, signed: bool) -> NoReturn:
    status = answer.status_code
    error = _worker_error(body)
    if status in _NOT_NOW:
        raise TryAgain(_said(answer, error, body), after_s=_retry_after_s(answer))
    if status == _BUSY:
        cause = str(error) if error else _said(answer, error, body)
        raise TryAgain(cause.rstrip("."), after_s=_retry_after_s(answer), busy=True)
    if error is None or status == NOT_FOUND:
        cause = f"{_said(answer, error, body)}: that is no Stemset worker. {_CHECK_URL}"
        raise TryAgain(cause, hopeless=True)
    if status == _UNAUTHORISED:
        raise WorkerRefused(f"The worker at {where} refuses the call: {_advice(error, signed)}")
    raise error


def _advice(error: StemsetError, signed: bool) -> str:  # noqa: FBT001 - passed on as it came
    if isinstance(error, ClockSkewed):
        return str(error)
    if not signed:
        return f"{error} Set STEMSET_WORKER_SECRET here to the worker's secret."
    return f"{error} STEMSET_WORKER_SECRET must hold the same secret on both sides."


def _worker_error(body: bytes) -> StemsetError | None:
    """The error that a worker's answer speaks of, None if this is no worker's answer."""
    with suppress(ValueError, KeyError, TypeError):
        said = json.loads(body)["error"]
        return error_from(str(said["code"]), str(said["detail"]))
    return None


def _said(answer: httpx.Response, error: StemsetError | None, body: bytes) -> str:
    said = f"answered {answer.status_code}"
    if location := answer.headers.get("location"):
        return f"{said}, a redirect to {location[:_SHOWN_CHARACTERS]!r}, which is not followed"
    if error is not None:
        return f"{said} ({str(error).rstrip('.')})"
    if _is_html(answer):
        return f"{said} with an HTML page"
    text = body.decode(errors="replace").strip()
    return f"{said} ({text[:_SHOWN_CHARACTERS]!r})" if text else said


def _is_html(answer: httpx.Response) -> bool:
    return "html" in answer.headers.get("content-type", "").lower()


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


async def lines(answer: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The lines of a stream as they come; not the client's own, which break at U+2028 as well.

    Raises:
        TryAgain: A line is longer than any message.
    """
    rest = b""
    async for part in answer.aiter_bytes():
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > MAX_MESSAGE_BYTES:
            raise TryAgain(f"the stream held a line of more than {MAX_MESSAGE_BYTES} bytes")


def _in_words(error: httpx.RequestError, cause: BaseException) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection could be made in time"
    if isinstance(error, httpx.TimeoutException):
        return f"nothing arrived in time ({type(error).__name__})"
    text = str(cause) or str(error)
    return f"{text.rstrip('.')} ({type(error).__name__})" if text else type(error).__name__
