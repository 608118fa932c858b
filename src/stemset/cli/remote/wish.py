"""What is ordered: all that the attempts at a job have in common."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stemset.cli.remote.survey import RemoteJob
from stemset.orders.messages import Order, OrderInput, OrderOutput
from stemset.pipeline.plan import OutputChoice
from stemset.storage.keys import AttemptFolder

_LEAST_DEADLINE = timedelta(minutes=30)
_DEADLINE_PER_DURATION = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """What all attempts at a job have in common.

    Attributes:
        wanted: The job.
        choice: The output format that was chosen.
        input_key: Key of the recording in the bucket.
        max_duration_s: The longest that a recording without a known length can be.
    """

    wanted: RemoteJob
    choice: OutputChoice
    input_key: str
    max_duration_s: float

    def order(self, folder: AttemptFolder, input_url: str | None, now: datetime) -> Order:
        """Write the order of an attempt."""
        job = self.wanted.job
        duration_s = job.source.duration_s or self.max_duration_s
        return Order(
            job_id=self.wanted.job_id,
            attempt=folder.number,
            profile_name=self.wanted.profile,
            output_name=job.output_name,
            strategy_name=job.strategy_name,
            strategy=job.strategy.tree(),
            fingerprint=job.fingerprint,
            input=OrderInput(
                key=self.input_key,
                name=job.recording.name,
                sha256=job.recording.sha256,
                bytes=job.recording.size_bytes,
                url=input_url,
            ),
            output=OrderOutput(
                prefix=folder.prefix,
                format=self.choice.format,
                bitrate=self.choice.bitrate_kbps,
                depth=self.choice.depth,
            ),
            deadline=now
            + max(_LEAST_DEADLINE, timedelta(seconds=_DEADLINE_PER_DURATION * duration_s)),
        )
