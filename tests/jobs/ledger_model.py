"""What the ledger promises, in memory: which answer each call must get, and how jobs may end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from stemset.errors import (
    JobComplete,
    JobOpen,
    NotUploaded,
    OutputNameTaken,
    OutputNotFound,
    RecordingNotFound,
    StemsetError,
)
from stemset.jobs.attempts import LIMITS
from stemset.jobs.job import State

Refused = type[StemsetError]

_STORE_WAITED_FOR = timedelta(hours=12)


class Place(NamedTuple):
    """What a job is to make: of which recording, and where."""

    profile: str
    output_name: str
    recording: int


@dataclass
class Promised:
    """A job as its callers know it."""

    place: Place
    state: State = State.QUEUED
    is_current: bool = True
    retried_as: str | None = None
    input_changed: bool = False

    @property
    def is_open(self) -> bool:
        return not self.state.has_ended


@dataclass
class LedgerModel:
    """Jobs, and what they need.

    Attributes:
        clocks_off: How much longer than the ledger a process may think that it has waited.
    """

    clocks_off: timedelta
    jobs: dict[str, Promised] = field(default_factory=dict[str, Promised])
    recordings: set[int] = field(default_factory=set[int])
    names: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    outputs: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def standing(self, place: Place) -> str | None:
        """The job that is given to whoever asks for the same again."""
        its = [key for key, job in self.jobs.items() if job.is_current and job.place == place]
        return its[0] if its else None

    def refuses(self, place: Place) -> Refused | None:
        """Why no new job is made."""
        if place.recording not in self.recordings:
            return NotUploaded
        owner = self.names.get(place[:2], place.recording)
        return None if owner == place.recording else OutputNameTaken

    def refuses_cancel(self, job_id: str) -> Refused | None:
        return JobComplete if self.jobs[job_id].state is State.COMPLETE else None

    def refuses_retry(self, job_id: str) -> Refused | None:
        job = self.jobs[job_id]
        if job.is_open:
            return JobOpen
        if job.state is State.COMPLETE:
            return JobComplete
        return None if job.retried_as else self.refuses(job.place)

    def refuses_output_deletion(self, place: Place) -> Refused | None:
        return None if place[:2] in self.outputs else OutputNotFound

    def refuses_recording_deletion(self, number: int) -> Refused | None:
        return None if number in self.recordings else RecordingNotFound

    def accepted(self, job_id: str, place: Place) -> None:
        self.jobs[job_id] = Promised(place)
        self.names[place[:2]] = place.recording

    def cancelled(self, job_id: str) -> None:
        if self.jobs[job_id].is_open:
            self.jobs[job_id].state = State.CANCELLED

    def output_deleted(self, profile: str, output_name: str) -> None:
        self.names.pop((profile, output_name))
        self.outputs.discard((profile, output_name))
        for job_id, job in self.jobs.items():
            if job.place[:2] == (profile, output_name):
                self.cancelled(job_id)
                job.is_current = False

    def recording_deleted(self, number: int) -> None:
        self.recordings.remove(number)
        for name in [key for key, owner in self.names.items() if owner == number]:
            self.output_deleted(*name)

    def follow(
        self, row: Mapping[str, Any], outcomes: Mapping[str, int], whole: Collection[str]
    ) -> None:
        """See that a job that was open has gone on as it may.

        Args:
            row: The job's row, and its ``age``.
            outcomes: How many of its attempts ended how.
            whole: Folders of attempts at its place whose stems are as they must be.
        """
        job, state = self.jobs[row["id"]], State(row["state"])
        if job.is_open and state is State.COMPLETE:
            assert row["attempt"] in whole, "completed without stems"
            self.outputs.add(job.place[:2])
        elif job.is_open and state is State.ERROR:
            failed, interrupted = outcomes.get("failed", 0), outcomes.get("interrupted", 0)
            spent = failed >= LIMITS.failed or interrupted >= LIMITS.interrupted
            spent = spent or outcomes.get("passed_over", 0) >= LIMITS.passed_over
            is_old = row["age"] >= _STORE_WAITED_FOR - self.clocks_off
            for_good = {"input_changed": job.input_changed, "storage_unavailable": is_old}
            assert spent or for_good.get(row["error"]["code"]), f"failed early: {row['error']}"
        elif job.is_open:
            assert not state.has_ended, f"{state}, and nobody asked for it"
        else:
            assert state is job.state, f"{job.state} has become {state}"
        job.state = state
