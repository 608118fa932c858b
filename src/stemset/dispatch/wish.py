"""What is ordered: all that the attempts at a job have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stemset.catalogue.fingerprint import OutputChoice
from stemset.orders.messages import Order, OrderInput, OrderOutput
from stemset.storage.keys import AttemptFolder

_LEAST_DEADLINE = timedelta(minutes=30)
_DEADLINE_PER_DURATION = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What all attempts at a job have in common.

    Attributes:
        job_id: The job.
        profile: Name of the profile.
        output_name: Name of the output.
        strategy_name: Name of the strategy.
        strategy: Its tree, as a configuration holds it.
        fingerprint: What the output must be.
        choice: The output format that was chosen.
        input_key: Key of the recording in the bucket.
        input_name: Its file name as the person knows it.
        sha256: Hash of its bytes.
        size_bytes: Its length.
        duration_s: How long it sounds, None if that is not known.
        max_duration_s: The longest that a recording without a known length can be.
        callback_url: Where the worker posts the last report as well.
        request_id: Names the call that the job came by, in the worker's logs.
    """

    job_id: str
    profile: str
    output_name: str
    strategy_name: str
    strategy: Mapping[str, Any]
    fingerprint: str
    choice: OutputChoice
    input_key: str
    input_name: str
    sha256: str
    size_bytes: int
    duration_s: float | None
    max_duration_s: float
    callback_url: str | None = None
    request_id: str | None = None

    @property
    def time_allowed(self) -> timedelta:
        """How long an attempt may take before it is worth nothing any more."""
        duration_s = self.duration_s or self.max_duration_s
        return max(_LEAST_DEADLINE, timedelta(seconds=_DEADLINE_PER_DURATION * duration_s))

    def order(self, folder: AttemptFolder, input_url: str | None, now: datetime) -> Order:
        """Write the order of an attempt.

        Args:
            folder: The attempt's folder.
            input_url: A presigned URL of the recording, for a worker without keys of its own.
            now: The time, with its zone; the deadline counts from it.
        """
        return Order(
            job_id=self.job_id,
            attempt=folder.number,
            profile_name=self.profile,
            output_name=self.output_name,
            strategy_name=self.strategy_name,
            strategy=self.strategy,
            fingerprint=self.fingerprint,
            input=self._input(input_url),
            output=OrderOutput(
                prefix=folder.prefix,
                format=self.choice.format,
                bitrate=self.choice.bitrate_kbps,
                depth=self.choice.depth,
            ),
            callback_url=self.callback_url,
            deadline=now + self.time_allowed,
            request_id=self.request_id,
        )

    def _input(self, url: str | None) -> OrderInput:
        return OrderInput(
            key=self.input_key,
            name=self.input_name,
            sha256=self.sha256,
            bytes=self.size_bytes,
            url=url,
        )
