"""Makes recordings' formats and samples, writes stems, and reads files back with FFmpeg."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from stemset.audio.encode import Encoding, StemWriter
from stemset.audio.formats import Depth, RecordingFormat

DTYPES = {"s16": np.int16, "s32": np.int32, "flt": np.float32}


@dataclass(frozen=True)
class Decoded:
    samples: NDArray
    rate_hz: int
    layout: str
    codec: str
    tags: dict[str, str]


def a_recording(rate_hz=48_000, layout="stereo", depth=Depth.S24) -> RecordingFormat:
    return RecordingFormat(
        container="wav",
        codec="pcm",
        rate_hz=rate_hz,
        channels=tuple(channel.name for channel in av.AudioLayout(layout).channels),
        layout=layout,
        depth=depth,
        lossless=True,
        frames=None,
    )


def noise(encoding: Encoding, frames: int, seed=0) -> NDArray:
    """Loud noise in the form that the encoding wants; integers reach both ends."""
    rng = np.random.default_rng(seed)
    shape = (len(encoding.channels), frames)
    if encoding.depth is None or encoding.depth.is_float:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)
    top = 1 << (encoding.depth.bits - 1)
    samples = rng.integers(-top, top, shape, dtype=np.int64)
    samples[:, :2] = (-top, top - 1)[:frames]
    return samples.astype(np.int32)


def tones(encoding: Encoding, frames: int) -> NDArray:
    """A tone of its own for each channel, 60 Hz for LFE, in the form that the encoding wants."""
    times = np.arange(frames) / encoding.source_rate_hz
    waves = 0.25 * np.sin(2 * np.pi * np.outer(tone_frequencies(encoding), times))
    if encoding.depth is None or encoding.depth.is_float:
        return waves.astype(np.float32)
    return np.round(waves * ((1 << (encoding.depth.bits - 1)) - 1)).astype(np.int32)


def tone_frequencies(encoding: Encoding) -> list[int]:
    return [
        60 if channel == "LFE" else 300 + 170 * number
        for number, channel in enumerate(encoding.channels)
    ]


def write_stem(
    path: Path, encoding: Encoding, samples: NDArray, *, block=30_011, expected=-1, tags=None
) -> tuple[Path, ...]:
    expected = samples.shape[1] if expected == -1 else expected
    with StemWriter(path, encoding, expected_frames=expected, tags=tags) as writer:
        for start in range(0, samples.shape[1], block):
            writer.write(samples[:, start : start + block])
    return writer.close()


def read(source: Path | BytesIO) -> Decoded:
    """Decode a file, to int32 right-aligned where it holds integers, else to float32."""
    with av.open(source, "r") as opened:
        stream = opened.streams.audio[0]
        context = stream.codec_context
        kind = context.format.packed.name
        # Packed, since PyAV reads past the planes of eight planar channels.
        pack = av.AudioResampler(format=kind)
        frames = [packed for frame in opened.decode(stream) for packed in pack.resample(frame)]
        frames += pack.resample(None)
        channels = context.layout.nb_channels
        samples = np.concatenate(
            [np.empty((channels, 0), DTYPES[kind]), *map(_unpacked, frames)], axis=1
        )
        bits = 24 if context.name == "flac" and kind == "s32" else None
        if context.name == "pcm_s24le":
            bits = 24
        if kind in ("s16", "s32"):
            samples = samples.astype(np.int32) >> (32 - bits if bits else 0)
        return Decoded(
            samples=samples,
            rate_hz=context.sample_rate,
            layout=context.layout.name,
            codec=context.name,
            tags={key.lower(): text for key, text in (opened.metadata | stream.metadata).items()},
        )


def _unpacked(frame: AudioFrame) -> NDArray:
    return frame.to_ndarray().reshape(frame.samples, frame.layout.nb_channels).T
