"""``stemset doctor --order``: a second of sound goes the whole way, and what it left is removed."""

import secrets
import tempfile
import time
import wave
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stemset.audio.decode import DecodeLimits
from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import DEFAULT_STRATEGY
from stemset.cli.batch import Batch
from stemset.cli.report import JsonReport
from stemset.config import Settings, needed_store
from stemset.dispatch.cost import Cost
from stemset.errors import OutputInvalid, StemsetError
from stemset.orders.address import WorkerAddress
from stemset.pipeline.verify import verify_output
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

if TYPE_CHECKING:
    from stemset.pipeline.plan import Job

_PROFILE = "stemset-doctor"
_FOLDERS = ("inputs", "claims", "outputs")
_RATE_HZ = 44_100
_LOWEST_HZ, _HIGHEST_HZ = 200, 2000


def send_trial_order(settings: Settings, address: WorkerAddress) -> str:
    """Have a tone separated by the worker with the strategy of the first remote profile.

    Args:
        settings: The configuration.
        address: The worker.

    Returns:
        What came back, and where the time went.

    Raises:
        StemsetError: What a job would have failed with.
    """
    from stemset.cli.remote.connect import connect  # noqa: PLC0415 - loads the HTTP client
    from stemset.cli.remote.run import run_remote  # noqa: PLC0415

    store = needed_store(settings)
    report = _Outcome()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="stemset-doctor-") as name:
        tone = _write_tone(Path(name) / "tone.wav")
        batch = _batch(settings, Path(name) / "media")
        try:
            run_remote(batch, [tone], report, lambda: connect(settings, address))
            return _judged(report, tone, time.perf_counter() - begun)
        finally:
            _clean_up(store)


class _Outcome(JsonReport):
    """Keeps how it ended, and prints nothing."""

    def __init__(self) -> None:
        self.error: StemsetError | None = None
        self.output: Path | None = None
        self.metadata: Mapping[str, Any] = {}

    def complete(
        self,
        job: "Job",
        metadata: Mapping[str, Any],
        job_id: str | None = None,
        cost: Cost | None = None,
    ) -> None:
        """Keep what came back."""
        super().complete(job, metadata, job_id, cost)
        self.output, self.metadata = job.output, metadata

    def failed(self, path: Path, error: StemsetError, job_id: str | None = None) -> None:
        """Keep why nothing did."""
        super().failed(path, error, job_id)
        self.error = error

    def _print(
        self, event: str, path: Path | None, job_id: str | None = None, **facts: object
    ) -> None:
        del event, path, job_id, facts


def _write_tone(path: Path) -> Path:
    """Write one second, of another pitch each time: what was made once is not made again."""
    pitch_hz = _LOWEST_HZ + secrets.randbelow(10_000) / 10_000 * (_HIGHEST_HZ - _LOWEST_HZ)
    phase = 2 * np.pi * pitch_hz * np.arange(_RATE_HZ) / _RATE_HZ
    samples = np.rint(8_000 * np.sin(phase)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(samples.itemsize)
        file.setframerate(_RATE_HZ)
        file.writeframes(np.repeat(samples, 2).tobytes())
    return path


def _batch(settings: Settings, root: Path) -> Batch:
    strategy = next(
        (profile.strategy for profile in settings.profiles.values() if profile.remote),
        DEFAULT_STRATEGY,
    )
    return Batch(
        root=root,
        strategy_name=strategy,
        strategy=settings.strategy(strategy),
        choice=OutputChoice(OutputFormat.FLAC, None, None),
        limits=DecodeLimits(max_duration_s=settings.max_duration_s),
        profile=_PROFILE,
        allow_licences=settings.allow_licences,
    )


def _judged(outcome: _Outcome, tone: Path, spent_s: float) -> str:
    if outcome.error is not None:
        raise outcome.error
    if outcome.output is None:
        raise OutputInvalid("The worker reported an end, and nothing came back.")
    if problems := verify_output(outcome.output, tone).problems:
        raise OutputInvalid(" ".join(problems))
    stems = ", ".join(outcome.metadata["stems"])
    kind = outcome.metadata["device"]["kind"]
    computed_s = outcome.metadata["timings"]["wall_s"]
    return (
        f"a second of sound came back as {stems} after {spent_s:.1f} s, "
        f"of which the worker took {computed_s:.1f} s on {kind}; the stems add up"
    )


def _clean_up(settings: StoreSettings) -> None:
    """Remove what is in the bucket. Where that fails, the order has failed of the same before."""
    with suppress(StemsetError):
        store = open_store(settings)
        for folder in _FOLDERS:
            store.delete([info.key for info in store.list_below(f"{folder}/{_PROFILE}")])
