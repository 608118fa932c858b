"""What a recording is called in the bucket: the job's id, and its output's name."""

import uuid
from dataclasses import dataclass, replace

from stemset.catalogue.fingerprint import OutputChoice
from stemset.cli.remote.spending import Work
from stemset.dispatch.inputs import Place, claim_place, find_place
from stemset.dispatch.standing import (
    Whole,
    attempt_to_order,
    find_standing,
    is_another_recordings,
    sha256_of,
)
from stemset.dispatch.wish import Wish
from stemset.pipeline.output import read_metadata
from stemset.pipeline.plan import Job
from stemset.storage.keys import output_name
from stemset.storage.store import Store

_JOBS = uuid.UUID("7d5b9b0c-3f5e-5d0a-9d53-0d6a1c5a7d11")


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A job, and what it is called in the bucket.

    Attributes:
        job: What to do; its output name is free on this machine and in the bucket.
        profile: Name of the profile.
        job_id: The same for the same recording, profile and fingerprint, on every machine.
    """

    job: Job
    profile: str
    job_id: str

    @property
    def work(self) -> Work:
        """What its orders are for."""
        return Work(self.job_id, self.job.strategy_name, self.job.source.duration_s)

    def find_standing(self, store: Store) -> Whole | None:
        """Find whole stems of this recording with this fingerprint, the published ones first."""
        return find_standing(
            store,
            profile=self.profile,
            output_name=self.job.output_name,
            sha256=self.job.recording.sha256,
            fingerprint=self.job.fingerprint,
            job_id=self.job_id,
        )

    def find_place(self, store: Store) -> Place:
        """Find out where the recording would lie; see ``dispatch.inputs``."""
        recording = self.job.recording
        return find_place(
            store, self.profile, recording.name, recording.sha256, recording.size_bytes
        )

    def claim_place(self, store: Store) -> Place:
        """Take a name in the bucket for the recording; see ``dispatch.inputs``."""
        recording = self.job.recording
        return claim_place(
            store, self.profile, recording.name, recording.sha256, recording.size_bytes
        )

    def attempt_to_order(self, store: Store) -> int:
        """The number of the attempt to begin with; see ``dispatch.standing``."""
        return attempt_to_order(
            store, profile=self.profile, output_name=self.job.output_name, job_id=self.job_id
        )

    def wish(self, choice: OutputChoice, input_key: str, max_duration_s: float) -> Wish:
        """What its attempts order, of a recording that lies under this key."""
        job = self.job
        return Wish(
            job_id=self.job_id,
            profile=self.profile,
            output_name=job.output_name,
            strategy_name=job.strategy_name,
            strategy=job.strategy.tree(),
            fingerprint=job.fingerprint,
            choice=choice,
            input_key=input_key,
            input_name=job.recording.name,
            sha256=job.recording.sha256,
            size_bytes=job.recording.size_bytes,
            duration_s=job.source.duration_s,
            max_duration_s=max_duration_s,
        )


def job_id_of(job: Job) -> str:
    """The job's id, from what the job is about."""
    return uuid.uuid5(_JOBS, f"{job.profile}/{job.recording.sha256}/{job.fingerprint}").hex


def name_job(store: Store, job: Job) -> RemoteJob:
    """Give a job's output a name that no other recording has.

    Raises:
        StorageError: The store does not answer.
    """
    if job.profile is None:
        raise ValueError("remote work needs a profile")
    sha256, name = job.recording.sha256, job.output_name
    digits = len(name.rpartition("_")[2])
    while digits < len(sha256) and _is_taken(store, job.profile, job, name):
        digits += 1
        name = output_name(job.recording.path.name, sha256, digits)
    return RemoteJob(replace(job, output_name=name), job.profile, job_id_of(job))


def _is_taken(store: Store, profile: str, job: Job, name: str) -> bool:
    """Whether another recording's output has this name, here or in the bucket."""
    sha256 = job.recording.sha256
    here = read_metadata(job.root / name)
    if here is not None and sha256_of(here) != sha256:
        return True
    return is_another_recordings(store, profile=profile, output_name=name, sha256=sha256)
