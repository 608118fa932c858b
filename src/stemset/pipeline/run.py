"""A run: its recording's statistics, its pass, a lower one if stems are too loud, its metadata."""

import math
import time
from collections.abc import Mapping

from stemset.audio.decode import DecodeLimits, Decoder
from stemset.audio.waveform_image import common_scale, write_waveform_png
from stemset.catalogue.entries import find
from stemset.errors import InputChanged
from stemset.pipeline._passes import Passes
from stemset.pipeline.metadata import StemResult, build_metadata
from stemset.pipeline.networks import Networks, coarsest_precision
from stemset.pipeline.output import making_output
from stemset.pipeline.plan import Job
from stemset.pipeline.progress import Clock, OnProgress
from stemset.separation.signals import plan_signals
from stemset.separation.statistics import Normalisation, StatisticsMeter

_GAIN_STEP_DB = 0.01


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
        passes = Passes(job, plan, networks, output.part, clock, limits, begun, normalisation)
        gain_db = 0.0
        result = passes.compute(decoder)
        if result.overshoot.clipped:
            clock.begin_lowering()
            gain_db = _common_gain_db(result.overshoot.peak)
            result = passes.lower(result, gain_db)
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
            precision=coarsest_precision(passes.loaded().values()),
        )
        output.commit(metadata)
    return metadata


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
