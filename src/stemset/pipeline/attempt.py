"""One attempt at an order: claim → download → separate and encode → upload → manifest.

An attempt writes only into its own folder, and its manifest last and once. It can be ended at any
moment: what it has written by then is no output, and the next attempt has another folder.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stemset.audio.decode import DecodeLimits, Decoder
from stemset.audio.formats import RecordingFormat
from stemset.catalogue.entries import check_licence, find
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import Node, only, parse_strategy
from stemset.errors import (
    AttemptUsed,
    InputChanged,
    ObjectCorrupt,
    ObjectExists,
    ObjectNotFound,
    UnsupportedVersion,
)
from stemset.orders.messages import Order
from stemset.orders.phase import Phase
from stemset.pipeline._scratch import own_scratch
from stemset.pipeline.networks import Networks
from stemset.pipeline.plan import Job, Recording, identify, plan_job
from stemset.pipeline.progress import Progress
from stemset.pipeline.run import run
from stemset.separation.signals import plan_signals
from stemset.storage.exchange import Exchange
from stemset.storage.keys import CLAIM, MANIFEST
from stemset.storage.outputs import Manifest, parse_manifest
from stemset.telemetry import crash_point, get_logger

_log = get_logger("pipeline")

_FETCHES = 3
_UPLOADS_AT_ONCE = 4
# Shares of the whole: a guess at what a song takes with the bucket near by.
_DOWNLOADED = 0.05
_SEPARATED = 0.95

Tell = Callable[[Phase, float, float | None], None]
"""Says how far the attempt is: phase, 0–1 over the whole job, seconds left."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all attempts of a computing process share.

    Attributes:
        networks: Networks, kept warm.
        scratch: Where to keep the recording and the stems in the making; None for the system's
            own place.
        limits: Limits of the decoder.
        allow_licences: Licences that models may have, None for all.
    """

    networks: Networks
    scratch: str | None
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    allow_licences: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A whole attempt.

    Attributes:
        stems: Names of the stems.
        timings: Seconds by phase.
    """

    stems: tuple[str, ...]
    timings: Mapping[str, float]


def perform(order: Order, exchange: Exchange, bench: Bench, tell: Tell) -> Done:
    """Carry an order out.

    Args:
        order: What to do.
        exchange: The recording and the attempt's folder.
        bench: What this process has.
        tell: Where progress is told.

    Raises:
        UnsupportedVersion: The order is for another engine.
        AttemptUsed: This attempt was begun before, and whoever began it did not end it.
        InputChanged: The recording is not the one that was ordered.
        StemsetError: Any branch of the tree.
    """
    strategy, choice = _checked(order, bench)
    if whole := _claim(exchange):
        return Done(tuple(whole.metadata["stems"]), {})
    clock = _Stopwatch()
    bench.networks.load_ahead(plan_signals(strategy))
    with own_scratch(bench.scratch) as folder:
        with clock.timing(Phase.DOWNLOADING):
            _log.info(f"Downloading input: {order.input.key}", key=order.input.key)
            recording = _fetch(order, exchange, folder, tell)
        crash_point("download")
        with (
            clock.timing(Phase.SEPARATING),
            Decoder(recording.path, bench.limits) as decoder,
        ):
            _log.info(f"Processing with strategy: {order.strategy_name}", models=strategy.models())
            job = _plan(
                order,
                recording,
                decoder.format,
                strategy=strategy,
                choice=choice,
                root=folder / "output",
            )
            metadata = run(
                job,
                bench.networks,
                decoder,
                on_progress=_while_separating(tell),
                limits=bench.limits,
            )
        with clock.timing(Phase.UPLOADING):
            stems = tuple(job.strategy.stems())
            _log.info(f"Uploading {len(stems)} stems to R2", stems=stems)
            etags = _upload(metadata, job.output, exchange, tell)
            crash_point("manifest")
            manifest = Manifest(order.job_id, order.attempt, metadata, etags)
            exchange.create(MANIFEST, manifest.to_bytes())
    return Done(stems, clock.spent_s)


def _checked(order: Order, bench: Bench) -> tuple[Node, OutputChoice]:
    """Read the strategy and the format, and refuse what this engine would make differently."""
    strategy = parse_strategy(order.strategy, order.strategy_name)
    if order.stems is not None:
        strategy = only(strategy, order.stems, order.strategy_name)
    for name in strategy.models():
        check_licence(find(name), bench.allow_licences)
    choice = OutputChoice(order.output.format, order.output.bitrate, order.output.depth)
    if fingerprint(strategy, choice) != order.fingerprint:
        raise UnsupportedVersion(
            "This worker's engine or weights are of another version than the orderer's: its stems "
            "would differ. Deploy the same version of Stemset on both sides."
        )
    return strategy, choice


def _claim(exchange: Exchange) -> Manifest | None:
    """Begin the attempt; the manifest if it is whole already."""
    try:
        exchange.create(CLAIM, json.dumps({"begun_by": uuid.uuid4().hex}).encode())
    except ObjectExists as error:
        try:
            return parse_manifest(exchange.read(MANIFEST))
        except ObjectNotFound:
            raise AttemptUsed("This attempt was begun before.") from error
    return None


def _fetch(order: Order, exchange: Exchange, folder: Path, tell: Tell) -> Recording:
    """Download the recording and make sure that it is the one that was ordered."""
    path = folder / f"recording{Path(order.input.key).suffix}"
    seen: set[str] = set()
    for _ in range(_FETCHES):
        try:
            _download(exchange, path, order.input.bytes, tell)
        except ObjectNotFound as error:
            raise InputChanged(f"The recording {order.input.key} is not in the bucket.") from error
        recording = identify(path)
        if recording.sha256 == order.input.sha256:
            return replace(recording, name=order.input.name)
        if recording.sha256 in seen:
            break  # the same other content twice: not the transfer's fault
        seen.add(recording.sha256)
        path.unlink()
    else:
        raise ObjectCorrupt(
            f"{order.input.key} arrived with other content each of {_FETCHES} times; "
            f"expected SHA-256 {order.input.sha256}."
        )
    raise InputChanged(
        f"{order.input.key} is not the recording that was ordered: its SHA-256 is "
        f"{recording.sha256} ({recording.size_bytes} bytes), ordered was {order.input.sha256} "
        f"({order.input.bytes} bytes)."
    )


def _download(exchange: Exchange, path: Path, total: int, tell: Tell) -> None:
    """Download the recording; a transfer that ends early goes on where it was."""
    counter = _Counter(Phase.DOWNLOADING, 0.0, _DOWNLOADED, total, tell)
    for left in reversed(range(_FETCHES)):
        offset = path.stat().st_size if path.exists() else 0
        counter.at(offset)
        try:
            exchange.fetch(path, offset=offset, on_bytes=counter.add)
        except ObjectCorrupt:
            if not left:
                raise
        else:
            return


def _plan(
    order: Order,
    recording: Recording,
    source: RecordingFormat,
    *,
    strategy: Node,
    choice: OutputChoice,
    root: Path,
) -> Job:
    job = plan_job(
        recording,
        source,
        root=root,
        strategy_name=order.strategy_name,
        strategy=strategy,
        choice=choice,
        profile=order.profile_name,
    )
    return replace(job, output_name=order.output_name)


def _upload(
    metadata: Mapping[str, Any], folder: Path, exchange: Exchange, tell: Tell
) -> Mapping[str, str]:
    """Upload every file, the long ones first. Returns the ETags that the store names."""
    files = sorted(metadata["files"], key=lambda name: -metadata["files"][name]["bytes"])
    total = sum(facts["bytes"] for facts in metadata["files"].values())
    counter = _Counter(Phase.UPLOADING, _SEPARATED, 1.0, total, tell)

    def upload(number: int, name: str) -> str | None:
        etag = exchange.put(folder / name, name, on_bytes=counter.add)
        crash_point(f"upload:{number}")
        return etag

    with ThreadPoolExecutor(_UPLOADS_AT_ONCE, "stemset-upload") as threads:
        uploads = [threads.submit(upload, *item) for item in enumerate(files, 1)]
        try:
            etags = {name: each.result() for name, each in zip(files, uploads, strict=True)}
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
    return {name: etag for name, etag in etags.items() if etag is not None}


def _while_separating(tell: Tell) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        whole = _DOWNLOADED + progress.fraction * (_SEPARATED - _DOWNLOADED)
        tell(progress.phase, whole, progress.eta_s)
        if progress.phase is Phase.SEPARATING:
            crash_point("separation")

    return on_progress


class _Counter:
    """Turns bytes into progress; any thread may add."""

    _EVERY_S = 0.25

    def __init__(self, phase: Phase, begin: float, end: float, total: int, tell: Tell) -> None:
        self._phase = phase
        self._begin = begin
        self._share = end - begin
        self._total = total
        self._tell = tell
        self._bytes = 0
        self._told = time.perf_counter()
        tell(phase, begin, None)

    def at(self, moved: int) -> None:
        """So many bytes are there already."""
        self._bytes = moved

    def add(self, moved: int) -> None:
        """Count bytes that were moved."""
        self._bytes += moved
        now = time.perf_counter()
        if now - self._told >= self._EVERY_S and self._total:
            self._told = now
            done = min(self._bytes / self._total, 1.0)
            self._tell(self._phase, self._begin + done * self._share, None)


class _Stopwatch:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    @contextmanager
    def timing(self, phase: Phase) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s[phase] = round(time.perf_counter() - begun, 3)
