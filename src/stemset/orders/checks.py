"""What a worker is asked about itself, and what it answers; nothing is separated for it.

Who may order asks with a ``Check``. The HTTP process hands an ``Inspect`` to the computing process,
calls the service itself, and answers with a ``Checked``. What is wrong comes as the error that an
order would have met.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from stemset.orders.messages import VERSION, Failure, Message, parse_message

HEALTH_PATH = "/livez"
"""What is called below the service's address: it says that it lives, and asks for nothing."""

_MAX_MODELS = 64

Models = Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=_MAX_MODELS)]


class CallEnd(StrEnum):
    """How a call to the service ended."""

    ALIVE = "alive"
    SOMETHING_ELSE = "something_else"
    """There is an answer, and not the service's."""
    NO_SUCH_HOST = "no_such_host"
    REFUSED = "refused"
    NO_TLS = "no_tls"
    TIMED_OUT = "timed_out"
    BROKEN = "broken"


class Called(BaseModel):
    """What came of a call to the service: how it ended, and nothing of what was answered.

    Attributes:
        end: A ``CallEnd``, or what a newer version says instead.
        status: The answer's status, None without an answer.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    end: str
    status: int | None = None


class Check(Message):
    """What the worker is to look at.

    Attributes:
        kind: Tells it from every other message that is signed with the same secret, so it must be
            said.
        models: Models that orders will need.
        backend_url: The service's address that orders will have it call back below; None for none.
    """

    kind: Literal["check"]
    models: Models = ()
    backend_url: Annotated[str, Field(max_length=2048)] | None = None


class Inspect(Message):
    """What the computing process is to look at.

    Attributes:
        kind: Tells it from an order.
        seq: Comes back in the answer.
        models: Models that orders will need; the first is measured.
    """

    kind: Literal["inspect"] = "inspect"
    seq: int
    models: Models = ()


class Inspected(Message):
    """What the computing process has found.

    Attributes:
        kind: Tells it from a report.
        seq: That of the question.
        device: What its networks compute on, ``cpu`` or ``cuda``.
        scratch_free_bytes: What is free where it keeps what is in the making.
        scratch_error: Why nothing can be written there.
        models_error: Why an order would not get its networks.
        measured: The model that was measured.
        times_realtime: Seconds of audio that its network computes in a second.
        computing_error: Why it computes nothing, or not on the GPU that is there.
    """

    kind: Literal["inspected"] = "inspected"
    seq: int
    device: str
    scratch_free_bytes: int | None = None
    scratch_error: Failure | None = None
    models_error: Failure | None = None
    measured: str | None = None
    times_realtime: float | None = None
    computing_error: Failure | None = None


class Checked(Message):
    """The worker's answer to a ``Check``.

    Attributes:
        kind: Tells it from other answers.
        inspected: What the computing process has found.
        inspection_error: Why it found nothing; ``worker_busy`` if it is at a job.
        called: What came of the call to the service, if it was to be called.
        callback_error: Why it was not called: what an order to call back there is refused with.
    """

    kind: Literal["checked"] = "checked"
    inspected: Inspected | None = None
    inspection_error: Failure | None = None
    called: Called | None = None
    callback_error: Failure | None = None


def parse_check(text: bytes | str) -> Check:
    """Read what a worker is asked. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(Check, text)


def parse_checked(text: bytes | str) -> Checked:
    """Read what a worker answered. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(Checked, text)


def parse_inspect(text: bytes | str) -> Inspect:
    """Read what a computing process is asked. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(Inspect, text)


def parse_inspected(text: bytes | str) -> Inspected:
    """Read what a computing process answered. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(Inspected, text)


def is_inspect(line: bytes) -> bool:
    """Whether a line to a computing process is an ``Inspect``."""
    return line.startswith(_begin("inspect"))


def is_inspected(line: bytes) -> bool:
    """Whether a line of a computing process is an ``Inspected``."""
    return line.startswith(_begin("inspected"))


def _begin(kind: str) -> bytes:
    """How a message of a kind begins when it is written: with what all messages have."""
    return b'{"version":%d,"kind":"%s"' % (VERSION, kind.encode())
