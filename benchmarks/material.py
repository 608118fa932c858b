"""What is measured on: songs of any length, made from the default model's example song.

A song is a chain of takes cut from the example at random places, each with its own gain and
sometimes with the channels exchanged, joined by short crossfades: real music of any length that
never repeats itself exactly. The same arguments give the same bytes. Songs are written block by
block, so that a song of hours needs disk and no memory.

Usage: material.py EXAMPLE.mp3 TARGET.wav SECONDS [--rate HZ] [--bits 16|24]
"""

import argparse
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray

PEAK = 10 ** (-1 / 20)
TAKE_S = (3.0, 9.0)
GAIN_DB = (-6.0, 0.0)
FADE_S = 0.02
SEED = 20


@dataclass(frozen=True)
class Song:
    """One song to measure on: WAV, stereo."""

    seconds: int
    rate_hz: int
    bits: int

    @property
    def file_name(self) -> str:
        """A name that says what is inside."""
        return f"song_{self.seconds}s_{self.rate_hz}_{self.bits}.wav"


def write_song(song: Song, example: Path, folder: Path) -> Path:
    """Write a song into a folder, unless it stands there already, and return its path."""
    target = folder / song.file_name
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with wave.open(str(part), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(song.bits // 8)
        file.setframerate(song.rate_hz)
        missing = song.seconds * song.rate_hz
        for take in joined_takes(load_example(example, song.rate_hz), song.rate_hz):
            block = take[:, :missing]
            file.writeframesraw(interleaved_pcm(block, song.bits))
            missing -= block.shape[1]
            if missing == 0:
                break
    part.rename(target)
    return target


def load_example(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """Decode the example: ``(2, frames)`` at the rate asked for, its peak 1 dB below full scale."""
    with av.open(path) as container:
        samples = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
        source_rate_hz = container.streams.audio[0].rate
    samples = soxr.resample(samples.T, source_rate_hz, rate_hz).T
    return samples * np.float32(PEAK / np.abs(samples).max())


def joined_takes(
    example: NDArray[np.float32], rate_hz: int, seed: int = SEED
) -> Iterator[NDArray[np.float32]]:
    """Yield takes ``(2, frames)`` without end, each faded into the one before it."""
    rng = np.random.default_rng(seed)
    fade = int(FADE_S * rate_hz)
    rise = np.linspace(0, 1, fade, dtype=np.float32)
    tail = np.zeros((2, fade), np.float32)
    while True:
        take = cut_take(example, rate_hz, rng)
        take[:, :fade] = take[:, :fade] * rise + tail * rise[::-1]
        tail = take[:, -fade:]
        yield take[:, :-fade]


def cut_take(
    example: NDArray[np.float32], rate_hz: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Cut one take at a random place, with a gain and an order of channels of its own."""
    frames = int(rng.uniform(*TAKE_S) * rate_hz)
    start = rng.integers(example.shape[1] - frames)
    gain = 10 ** (rng.uniform(*GAIN_DB) / 20)
    channels = rng.permutation(2)
    return example[channels, start : start + frames] * np.float32(gain)


def interleaved_pcm(samples: NDArray[np.float32], bits: int) -> bytes:
    """Quantise ``(2, frames)`` to little-endian PCM as WAV stores it."""
    scaled = np.rint(samples.T.astype(np.float64) * (2 ** (bits - 1) - 1)).astype("<i4")
    return scaled.reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()


def main() -> None:
    """Write one song where the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("example", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("seconds", type=int)
    parser.add_argument("--rate", type=int, default=44_100)
    parser.add_argument("--bits", type=int, default=16, choices=(16, 24))
    arguments = parser.parse_args()
    song = Song(arguments.seconds, arguments.rate, arguments.bits)
    write_song(song, arguments.example, arguments.target.parent).rename(arguments.target)


if __name__ == "__main__":
    main()
