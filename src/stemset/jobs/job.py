"""A job: what is asked for, how it stands, and how its row is read.

The ledger alone changes rows (``ledger``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, null, select

from stemset.jobs import tables
from stemset.orders.messages import Failure

_jobs = tables.jobs

_output_id = (
    select(tables.outputs.c.id)
    .where(
        tables.outputs.c.profile == _jobs.c.profile,
        tables.outputs.c.output_name == _jobs.c.output_name,
        tables.outputs.c.job_id == _jobs.c.id,
    )
    .correlate(_jobs)
    .scalar_subquery()
    .label("output_id")
)

COLUMNS = (_jobs, _output_id)
"""What ``read`` needs of a row."""

NEW_COLUMNS = (_jobs, null().label("output_id"))
"""The same of a row that is inserted: nothing is made yet, and an insert correlates no subquery."""


class State(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    WAKING = "waking"
    PROCESSING = "processing"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether the job never changes again."""
        return self in {State.COMPLETE, State.ERROR, State.CANCELLED}


class Queue(StrEnum):
    """Who works a job off."""

    WORKER = "worker"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be done.

    Attributes:
        sha256: The recording.
        filename: Its name as the caller knows it.
        input_key: Where it lies.
        profile: Name of the profile.
        output_name: Name of the output, literally.
        strategy_name: Name of the strategy.
        strategy: Its tree.
        output: ``format``, ``bitrate`` and ``depth``.
        fingerprint: What the output must be.
        queue: Who works it off.
        owner: Id of the caller.
        request_id: Names the call that it came by, in all logs; None if that is not known.
    """

    sha256: str
    filename: str
    input_key: str
    profile: str
    output_name: str
    strategy_name: str
    strategy: Mapping[str, Any]
    output: Mapping[str, Any]
    fingerprint: str
    queue: Queue
    owner: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Request):
    """A job as it stands.

    Attributes:
        id: Its id.
        retry_of: The job that this one tries again.
        state: How it stands.
        phase: What is being done.
        progress: 0–1 over the whole job.
        eta_s: Time left, None while it is not known.
        error: Why it failed.
        stems: Names of the stems, once it is complete.
        held: Why it is not begun although its turn has come; None if nothing holds it.
        attempt: Folder of the attempt that won, below the output's.
        output_id: The output that it made, None once that is deleted.
        created_at: When it was accepted.
        started_at: When the first attempt began.
        ended_at: When it ended.
    """

    id: str
    retry_of: str | None
    state: State
    phase: str | None
    progress: float
    eta_s: float | None
    error: Failure | None
    stems: tuple[str, ...] | None
    held: str | None
    attempt: str | None
    output_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def read(row: Row[Any]) -> Job:
    """A row of the table as a job."""
    facts = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's columns
    facts.pop("is_current")
    facts["state"], facts["queue"] = State(facts["state"]), Queue(facts["queue"])
    facts["error"] = facts["error"] and Failure.model_validate(facts["error"])
    facts["stems"] = facts["stems"] and tuple(facts["stems"])
    return Job(**facts)
