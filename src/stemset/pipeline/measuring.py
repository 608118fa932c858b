"""Measure what a strategy costs here: a made-up recording is split as any other is."""

import math
import os
import resource
import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import DecodeLimits, Decoder
from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import Node
from stemset.pipeline.networks import Networks
from stemset.pipeline.plan import identify, plan_job
from stemset.pipeline.progress import OnProgress
from stemset.pipeline.run import run
from stemset.pipeline.speeds import Speed
from stemset.separation.signals import plan_signals

_RATE_HZ = 48_000
_SHORTEST_S = 12
_LONGEST_S = 600
_LONG_ENOUGH_S = 6
_CHUNKS = 2  # of the networks' own; fewer would be mostly padding


def measure(
    name: str,
    strategy: Node,
    networks: Networks,
    folder: Path,
    *,
    on_progress: OnProgress = lambda _: None,
) -> Speed:
    """Split a short made-up recording, and a longer one if that took little time.

    Args:
        name: Name of the strategy.
        strategy: Its tree.
        networks: Where loaded networks are kept.
        folder: Where to work; what is written there is the caller's to remove.
        on_progress: As in ``run``.

    Raises:
        StemsetError: Any branch of the tree.
    """
    networks.load(plan_signals(strategy))
    chunk_s = plan_signals(strategy).depth_frames() / _RATE_HZ
    shortest_s = max(_SHORTEST_S, math.ceil(_CHUNKS * chunk_s))
    speed = _split(name, strategy, networks, folder, shortest_s, on_progress=on_progress)
    if speed.wall_s * shortest_s >= _LONG_ENOUGH_S:
        return speed
    longer_s = min(max(round(_LONG_ENOUGH_S / speed.wall_s), shortest_s), _LONGEST_S)
    return _split(name, strategy, networks, folder, longer_s, on_progress=on_progress)


def _split(
    name: str,
    strategy: Node,
    networks: Networks,
    folder: Path,
    audio_s: int,
    *,
    on_progress: OnProgress,
) -> Speed:
    path = folder / f"{name} {audio_s} s.wav"
    _write_recording(path, audio_s)
    limits = DecodeLimits()
    before_s = _cpu_s()
    with Decoder(path, limits) as decoder:
        job = plan_job(
            identify(path),
            decoder.format,
            root=folder / "stems",
            strategy_name=name,
            strategy=strategy,
            choice=OutputChoice(OutputFormat.OPUS, None, None),
        )
        metadata = run(job, networks, decoder, on_progress=on_progress, limits=limits)
    return Speed(
        strategy=name,
        audio_s=audio_s,
        wall_s=metadata["timings"]["wall_s"] / audio_s,  # type: ignore[index]
        cpu_s=(_cpu_s() - before_s) / audio_s,
        device=networks.device,
        day=datetime.now(UTC).date().isoformat(),
        precision=metadata["device"]["precision"],  # type: ignore[index]
    )


def _cpu_s() -> float:
    """CPU time of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _write_recording(path: Path, seconds: int) -> None:
    """Write a bass, a voice and a beat of noise as a 24-bit WAV at 48 kHz."""
    random = np.random.default_rng(0)
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(_RATE_HZ)
        for second in range(seconds):
            time_s = second + np.arange(_RATE_HZ) / _RATE_HZ
            file.writeframes(_in_24_bits(_music(time_s, random)))


def _music(time_s: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Music of a kind, ``(frames, 2)``, within ±0.5."""
    beat = np.exp(-12 * (time_s % 0.5)) * random.uniform(-1, 1, len(time_s))
    bass = np.sin(2 * np.pi * 55 * time_s)
    voice = np.sin(2 * np.pi * 330 * time_s + 3 * np.sin(2 * np.pi * 5 * time_s))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.2 * time_s)
    left = 0.2 * beat + 0.15 * bass + 0.15 * swell * voice
    right = 0.2 * beat + 0.15 * bass + 0.1 * swell * voice
    return np.stack([left, right], axis=1)


def _in_24_bits(samples: NDArray[np.float64]) -> bytes:
    whole = np.rint(samples * 2**23).astype("<i4")
    return whole.view(np.uint8).reshape(*whole.shape, 4)[..., :3].tobytes()
