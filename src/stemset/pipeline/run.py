"""The loop that moves audio: decode → separate → close → encode and measure.

The decoder is a process, the reader a thread, the networks use their own threads, and each stem is
encoded and measured in a thread of its own, all at the same time, with bounded queues between.
"""

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from stemset.audio.decode import DecodeLimits, Decoder, Samples
from stemset.audio.waveform_image import common_scale, write_waveform_png
from stemset.catalogue.entries import find
from stemset.errors import InputChanged
from stemset.pipeline._stages import ReadAhead
from stemset.pipeline._stem_stages import ClosingStage, Stem, full_scale
from stemset.pipeline.metadata import StemResult, Timings, build_metadata
from stemset.pipeline.networks import Networks, coarsest_precision
from stemset.pipeline.output import making_output
from stemset.pipeline.plan import Job
from stemset.pipeline.progress import Clock, OnProgress
from stemset.separation.closing import Closing, Overshoot, SumError
from stemset.separation.network import Network
from stemset.separation.quality import QualityMeter, borders_of
from stemset.separation.separator import Separator
from stemset.separation.signals import SignalPlan, plan_signals
from stemset.separation.statistics import Normalisation, StatisticsMeter

_BLOCKS_AHEAD = 8
_GAIN_STEP_DB = 0.01


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over the recording gave.

    Attributes:
        stems: What is known about each stem.
        frames: Frames of the recording, and of every stem.
        sum_error: How far the stems' sum is from the mix.
        overshoot: What the format could not hold.
        warnings: What was noticed of the recording and the stems.
        timings: Where the time went.
    """

    stems: Mapping[str, StemResult]
    frames: int
    sum_error: SumError
    overshoot: Overshoot
    warnings: tuple[str, ...]
    timings: Timings


def run(
    job: Job,
    networks: Networks,
    decoder: Decoder | None = None,
    *,
    on_progress: OnProgress = lambda _: None,
    limits: DecodeLimits | None = None,
) -> dict[str, object]:
    """Make one output.

    Args:
        job: What to do.
        networks: Where loaded networks are kept.
        decoder: The recording, opened and not read yet, if the caller has it: to start a decoder
            takes longer than anything else here. It is closed in the end.
        on_progress: Called in this thread, about once per second of work.
        limits: Limits of the decoder.

    Returns:
        The output's metadata, as it stands in its ``metadata.json``.

    Raises:
        StemsetError: Any branch of the tree; nothing is left behind.
    """
    begun = time.perf_counter()
    plan = plan_signals(job.strategy, original_manner=job.original_manner)
    with making_output(job.root, job.output_name) as output:
        clock = Clock(on_progress, job.source.frames)
        limits = limits or DecodeLimits()
        normalisation = None
        if any(find(model).normalised for model in job.strategy.models()):
            networks.load_ahead(plan, original_manner=job.original_manner)
            normalisation = _measure(job, decoder, limits)
            decoder = None
        runner = _Runner(job, plan, networks, output.part, clock, limits, begun, normalisation)
        gain_db = 0.0
        result = runner.stream(gain_db, decoder)
        if result.overshoot.clipped:
            clock.begin_second_pass()
            gain_db = _common_gain_db(result.overshoot.peak)
            result = runner.stream(gain_db)
        _refuse_changed(job)
        clock.end()
        _draw_waveforms(result.stems)
        metadata = build_metadata(
            job,
            plan,
            result.stems,
            frames=result.frames,
            gain_db=gain_db,
            sum_error=result.sum_error if plan.adds_up else None,
            warnings=(*result.warnings, *networks.gpu_troubles),
            timings=result.timings,
            wall_s=time.perf_counter() - begun,
            device=networks.device,
            precision=coarsest_precision(runner.loaded().values()),
        )
        output.commit(metadata)
    return metadata


@dataclass(frozen=True, slots=True)
class _Runner:
    """What all passes over one recording share."""

    job: Job
    plan: SignalPlan
    networks: Networks
    folder: Path
    clock: Clock
    limits: DecodeLimits
    begun: float
    normalisation: Normalisation | None

    def stream(self, gain_db: float, opened: Decoder | None = None) -> Pass:
        """Stream the recording once.

        A pass without gain that meets an overshoot goes on only to learn the peak.
        """
        with ExitStack() as stack:
            # The decoder starts and fills its queue while networks are loaded.
            decoder = stack.enter_context(opened or Decoder(self.job.recording.path, self.limits))
            blocks = ReadAhead(decoder, depth=_BLOCKS_AHEAD)
            stack.callback(blocks.stop)
            networks = self.loaded()
            separator = self._separator(networks)
            ready_s = time.perf_counter() - self.begun
            stems = {
                name: stack.enter_context(Stem(name, self.folder, self.job))
                for name in self.plan.names
            }
            closing = ClosingStage(
                Closing(self.plan, self.job.encoding.depth, gain=10 ** (gain_db / 20)),
                stems,
                QualityMeter(
                    self.plan.names,
                    self.job.source.rate_hz,
                    borders_of(networks.values()),
                    full_scale=full_scale(self.job.encoding),
                ),
                only_without_overshoot=not gain_db,
            )
            stack.callback(closing.stop)
            separate_s = self._separate(blocks, separator, closing)
            overshoot = closing.finish()
            wasted = overshoot.clipped and not gain_db
            return Pass(
                stems={} if wasted else {name: stem.finish() for name, stem in stems.items()},
                frames=decoder.frames,
                sum_error=closing.sum_error,
                overshoot=overshoot,
                warnings=(*decoder.warnings, *closing.warnings()),
                timings=Timings(
                    ready_s=ready_s,
                    decode_cpu_s=decoder.cpu_s,
                    separate_s=separate_s,
                    close_s=closing.busy_s,
                    stems_s={name: stem.busy_s for name, stem in stems.items()},
                ),
            )

    def _separate(
        self, blocks: ReadAhead[Samples], separator: Separator, closing: ClosingStage
    ) -> float:
        """Run the blocks of the mix through the tree; returns the time that this took."""
        busy_s = 0.0
        for block in blocks:
            closing.put_mix(block)
            begun = time.perf_counter()
            signals = list(separator.push(block))
            busy_s += time.perf_counter() - begun
            closing.put_signals(signals)
            self.clock.tick(block.shape[-1], twice=closing.overshot)
        begun = time.perf_counter()
        signals = list(separator.finish())
        busy_s += time.perf_counter() - begun
        closing.put_signals(signals)
        return busy_s

    def loaded(self) -> dict[str, Network]:
        """The networks, loaded if they are not yet."""
        return self.networks.load(self.plan, original_manner=self.job.original_manner)

    def _separator(self, networks: Mapping[str, Network]) -> Separator:
        source = self.job.source
        return Separator(
            self.plan,
            networks,
            rate_hz=source.rate_hz,
            channels=source.channels,
            normalisation=self.normalisation,
        )


def _measure(job: Job, opened: Decoder | None, limits: DecodeLimits) -> Normalisation:
    """Read the recording once for its mean and deviation."""
    meter = StatisticsMeter()
    with opened or Decoder(job.recording.path, limits) as decoder:
        for block in decoder:
            meter.push(block)
    return meter.result(restores_mean=job.original_manner)


def _common_gain_db(peak: float) -> float:
    """The gain, in steps of 0.01 dB, that brings ``peak`` below full scale."""
    return -(math.ceil(20 * math.log10(peak) / _GAIN_STEP_DB) + 1) * _GAIN_STEP_DB


def _refuse_changed(job: Job) -> None:
    """Refuse an input that changed after it was hashed."""
    try:
        status = job.recording.path.stat()
    except FileNotFoundError:
        return  # Deleted after it was read in full: its stems are still right.
    known = (job.recording.size_bytes, job.recording.modified_ns)
    if (status.st_size, status.st_mtime_ns) != known:
        raise InputChanged(f"{job.recording.path} changed while it was separated.")


def _draw_waveforms(stems: Mapping[str, StemResult]) -> None:
    scale = common_scale([stem.peaks[0] for stem in stems.values()])
    for stem in stems.values():
        write_waveform_png(stem.peaks[0], stem.waveform, scale=scale)
