"""The wire messages: what they hold, and nothing else.

Names are fixed, fields may grow: a field that this version does not know is ignored, a message of
a higher version is refused by name.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from stemset.audio.formats import Depth, OutputFormat
from stemset.errors import InvalidOrder, StemsetError, UnsupportedVersion, error_from
from stemset.orders.phase import Phase

VERSION = 1
MAX_MESSAGE_BYTES = 256 * 1024

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
JobId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class Message(BaseModel):
    """What all messages have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = VERSION

    def line(self) -> bytes:
        """The message as one line of JSON, with its newline."""
        return self.model_dump_json(exclude_none=True).encode() + b"\n"


class OrderInput(BaseModel):
    """The recording.

    Attributes:
        key: Its key in the bucket.
        name: Its file name as the person knows it.
        sha256: Hash of its bytes.
        bytes: Its length.
        url: A presigned URL to get it from, for a worker without keys of its own.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    name: str
    sha256: Sha256
    bytes: int = Field(ge=0)
    url: str | None = None


class OrderOutput(BaseModel):
    """Where the stems go, and in what form.

    Attributes:
        prefix: The attempt's own folder in the bucket, without a closing slash.
        format: File format.
        bitrate: Bit rate of lossy formats in kbit/s.
        depth: Depth of samples, by default the recording's.
        urls: Presigned URLs to put files to, by file name; others are asked for when needed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    prefix: str
    format: OutputFormat
    bitrate: int | None = Field(default=None, gt=0)
    depth: Depth | None = None
    urls: Mapping[str, str] = {}


class Order(Message):
    """One attempt at a job.

    Attributes:
        kind: What is wanted.
        job_id: The job, the same through all attempts and all logs.
        attempt: Its number, from 1.
        profile_name: Name of the profile.
        output_name: Name of the output.
        strategy_name: Name of the strategy.
        strategy: Its tree, as a configuration holds it: the worker needs no configuration.
        fingerprint: What the orderer expects the output to be; another engine version differs.
        stems: The stems that are wanted, None for all.
        input: The recording.
        output: Where the stems go.
        callback_url: Where the last report is posted to as well.
        deadline: When the attempt is worth nothing any more.
        request_id: Names the call that the job came by, in all logs; None if it came by none.
    """

    kind: Literal["separate"] = "separate"
    job_id: JobId
    attempt: int = Field(ge=1)
    profile_name: str
    output_name: str
    strategy_name: str
    strategy: Mapping[str, Any]
    fingerprint: Sha256
    stems: tuple[str, ...] | None = None
    input: OrderInput
    output: OrderOutput
    callback_url: str | None = None
    deadline: AwareDatetime
    request_id: RequestId | None = None

    @property
    def uses_links(self) -> bool:
        """Whether objects are reached by presigned URLs and not by the worker's own keys."""
        return self.input.url is not None


class Status(StrEnum):
    """How an attempt stands."""

    ACCEPTED = "accepted"
    PROGRESS = "progress"
    COMPLETE = "complete"
    ERROR = "error"


class Failure(BaseModel):
    """Why an attempt ended without stems.

    Attributes:
        code: A leaf's code of the error tree.
        detail: The message for people.
        retryable: Whether a further attempt can succeed with nothing changed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    detail: str
    retryable: bool

    @classmethod
    def of(cls, error: StemsetError) -> "Failure":
        """Put an error into words for the wire."""
        return cls(code=error.code, detail=str(error), retryable=error.retryable)

    def error(self) -> StemsetError:
        """The error again, on the other side."""
        return error_from(self.code, self.detail)


class LinkWanted(BaseModel):
    """A presigned URL that the computing process needs.

    Attributes:
        method: ``GET`` or ``PUT``.
        name: A file of the attempt's folder; empty for the input.
        bytes: Length of what is put.
        part: Number of the part, from 1, if the file is put in parts.
        parts: How many parts there are.
        etags: The parts' ETags in order: the orderer is to complete the upload instead.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    method: Literal["GET", "PUT"]
    name: str = ""
    bytes: int = 0
    part: int | None = None
    parts: int | None = None
    etags: tuple[str, ...] | None = None


class Report(Message):
    """What an attempt says.

    Attributes:
        job_id: The job.
        attempt: The attempt.
        seq: Counts the reports of an attempt; a repeated report (to keep a connection alive)
            repeats its number.
        status: How it stands; after ``complete`` or ``error`` nothing follows.
        phase: What is being done.
        progress: 0–1 over the whole job.
        eta_s: Time left, None while it is not known.
        stems: Names of the stems, at the end.
        error: Why it failed.
        timings: Seconds by phase, at the end.
        wanted: Presigned URLs that are waited for.
        device: What computes, ``cpu`` or ``cuda``, as far as it was known when it began.
    """

    job_id: JobId
    attempt: int
    seq: int
    status: Status
    phase: Phase | None = None
    progress: float = Field(default=0.0, ge=0.0, le=1.0)
    eta_s: float | None = None
    stems: tuple[str, ...] | None = None
    error: Failure | None = None
    timings: Mapping[str, float] = {}
    wanted: tuple[LinkWanted, ...] = ()
    device: str | None = None

    @property
    def is_last(self) -> bool:
        """Whether the attempt has ended."""
        return self.status in {Status.COMPLETE, Status.ERROR}


class Links(Message):
    """The orderer's answer to ``Report.wanted``.

    Attributes:
        kind: Tells it from an order.
        job_id: The job.
        attempt: The attempt.
        urls: One URL for each link wanted, in order; empty where an upload was completed.
        seq: Number of the report that asked, so that an answer that comes twice is not taken for
            the answer to the next question.
    """

    kind: Literal["links"] = "links"
    job_id: JobId
    attempt: int
    urls: tuple[str, ...]
    seq: int | None = None


class ComputingSettings(Message):
    """The first line that a computing process reads.

    Attributes:
        store: The bucket and its keys (``storage.settings.StoreSettings``); None if links come
            with the orders.
        storage_retry_s: How long a bucket that is reached by links is asked again.
        scratch: Folder for recordings and stems in the making; None for the system's own.
        max_duration_s: Longest recording that is accepted.
        allow_licences: Licences that models may have, None for all.
        load: Built-in strategies whose networks are loaded before the first order comes.
    """

    store: Mapping[str, Any] | None = None
    storage_retry_s: float = 60.0
    scratch: str | None = None
    max_duration_s: float = 43_200.0
    allow_licences: tuple[str, ...] | None = None
    load: tuple[str, ...] = ()


class Ready(Message):
    """The first line that a computing process writes: it can take an order.

    Attributes:
        kind: Tells it from a report.
        device: What computes, ``cpu`` or ``cuda``.
        engine: Version of Stemset.
    """

    kind: Literal["ready"] = "ready"
    device: str
    engine: str


Kind = TypeVar("Kind", bound=Message)


def parse_order(text: bytes | str) -> Order:
    """Read an order.

    Raises:
        UnsupportedVersion: It is of a higher version.
        InvalidOrder: It does not say what it must; the message names the field.
    """
    return parse_message(Order, text)


def parse_report(text: bytes | str) -> Report:
    """Read a report. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(Report, text)


def parse_links(text: bytes | str) -> Links:
    """Read the answer to wanted links. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(Links, text)


def parse_settings(text: bytes | str) -> ComputingSettings:
    """Read a computing process's first line. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(ComputingSettings, text)


def parse_ready(text: bytes | str) -> Ready:
    """Read a computing process's first word. Raises UnsupportedVersion, InvalidOrder."""
    return parse_message(Ready, text)


def parse_message(kind: type[Kind], text: bytes | str) -> Kind:
    """Read a message of one kind.

    Raises:
        UnsupportedVersion: It is of a higher version.
        InvalidOrder: It does not say what it must; the message names the field.
    """
    if len(text) > MAX_MESSAGE_BYTES:
        raise InvalidOrder(f"A message of {len(text)} bytes: the limit is {MAX_MESSAGE_BYTES}.")
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if place == "version":
            raise UnsupportedVersion(
                f"A message of version {first['input']!r}: this is version {VERSION}. "
                "Update the side that is older."
            ) from error
        raise InvalidOrder(f"{kind.__name__.lower()}: {place}: {first['msg']}.") from error


def utc(moment: datetime) -> str:
    """A moment as it stands in messages."""
    return moment.isoformat(timespec="milliseconds")
