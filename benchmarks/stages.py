"""Each stage of the pipeline alone, one after the other, in one process: what it costs.

The stages are those of `stemset.pipeline.run`, given the same blocks, but each has finished before
the next begins. Usage: stages.py SONG.wav FOLDER; the song has 16 bits. Prints JSON: for each part
its CPU-seconds and its wall time.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import DecodeLimits, Decoder, probe
from stemset.audio.encode import StemWriter
from stemset.audio.formats import OutputFormat
from stemset.audio.loudness import LoudnessMeter
from stemset.audio.peaks import PeaksWriter
from stemset.audio.waveform_image import common_scale, write_waveform_png
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import DEFAULT_STRATEGY, find_strategy
from stemset.pipeline.networks import Networks
from stemset.pipeline.plan import Job, identify, plan_job
from stemset.separation.closing import Closing
from stemset.separation.network import Network
from stemset.separation.separator import Separator
from stemset.separation.signals import Signal, SignalPlan, plan_signals

Outcome = list[tuple[Signal, NDArray[np.float32]]]
Stems = Mapping[str, NDArray[np.integer | np.floating]]

# Starting is done by one thread, so its CPU time is its wall time.
PARTS = {"start": {"cpu_s": time.process_time(), "wall_s": time.process_time()}}


def main(song: Path, folder: Path) -> None:
    """Run the stages one by one."""
    folder.mkdir(parents=True)
    with part("hash and plan"):
        job, plan = planned(song, folder)
    with part("load the network"):
        networks = Networks().load(plan)
    with part("decode"), Decoder(song, DecodeLimits()) as decoder:
        blocks = list(decoder)
    PARTS["decode"]["cpu_s"] += decoder.cpu_s
    with part("separate"):
        outcomes = separated(job, plan, networks, blocks)
    with part("add up and round"):
        stems = closed(job, plan, blocks, outcomes)
    write(job, folder, stems)
    print(json.dumps(PARTS))


def planned(song: Path, folder: Path) -> tuple[Job, SignalPlan]:
    """Decide what is to be done: the default strategy, to WAV."""
    job = plan_job(
        identify(song),
        probe(song),
        root=folder,
        strategy_name=DEFAULT_STRATEGY,
        strategy=find_strategy(DEFAULT_STRATEGY),
        choice=OutputChoice(OutputFormat.WAV),
    )
    return job, plan_signals(job.strategy)


def separated(
    job: Job,
    plan: SignalPlan,
    networks: Mapping[str, Network],
    blocks: Sequence[NDArray[np.floating]],
) -> list[Outcome]:
    """Stream all blocks through the networks; one outcome more, of the end."""
    source = job.source
    separator = Separator(plan, networks, rate_hz=source.rate_hz, channels=source.channels)
    return [*(list(separator.push(block)) for block in blocks), list(separator.finish())]


def closed(
    job: Job, plan: SignalPlan, blocks: Sequence[NDArray[np.floating]], outcomes: list[Outcome]
) -> list[Stems]:
    """Make of signals the samples of files."""
    closing = Closing(plan, job.encoding.depth)
    stems: list[Stems] = []
    for index, outcome in enumerate(outcomes):
        if index < len(blocks):
            closing.push_mix(blocks[index])
        for signal, samples in outcome:
            closing.push_signal(signal, samples)
        stems += closing.take()
    return [*stems, *closing.finish()]


def write(job: Job, folder: Path, stems: list[Stems]) -> None:
    """Encode every stem and measure it."""
    peaks = {}
    for name in stems[0]:
        with part("encode"):
            writer = StemWriter(folder / name, job.encoding, expected_frames=job.source.frames)
            for block in stems:
                writer.write(block[name])
            writer.close()
        floats = [(block[name] * np.float32(2.0**-15)).astype(np.float32) for block in stems]
        with part("measure loudness"):
            meter = LoudnessMeter(job.source.rate_hz, job.source.channels, job.source.layout)
            for block in floats:
                meter.push(block)
            meter.result()
        with part("peaks and picture"):
            peaks_writer = PeaksWriter(folder / name, job.source.rate_hz)
            for block in floats:
                peaks_writer.push(block)
            peaks[name] = peaks_writer.close()
    with part("peaks and picture"):
        scale = common_scale([levels[0] for levels in peaks.values()])
        for name, levels in peaks.items():
            write_waveform_png(levels[0], folder / f"{name}.png", scale=scale)


@contextmanager
def part(name: str) -> Iterator[None]:
    """Add what the block costs to a part."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    spent = PARTS.setdefault(name, {"cpu_s": 0.0, "wall_s": 0.0})
    spent["cpu_s"] += time.process_time() - cpu
    spent["wall_s"] += time.perf_counter() - wall


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
