"""Figures about samples: parity with the peer, and what chunks leave behind at their borders."""

import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from figures import MINUTES_3, Bench
from processes import measure
from report import Row, at_least
from stemset.catalogue.entries import find

STEMS = ("vocals", "accompaniment")
MODEL = "spleeter-2stems"
WINDOW_S = 0.1
# Windows as quiet as this, next to full scale, hold nothing that one could hear an error in.
SILENCE_DB = -60
EDGE_FRAMES = 4410
FLOAT_WAV = ("--format", "wav", "--depth", "32f")

Samples = NDArray[np.float64]


def parity(bench: Bench) -> Iterator[Row]:
    """The engine in the original manner against the peer's own output, sample by sample.

    The first and last 0.1 s are left out: there fewer windows overlap, and the peer divides by
    what there are, where a stream divides by what there will be.
    """
    song = bench.song(MINUTES_3)
    measure(bench.split(song, *FLOAT_WAV, "--original-manner"), bench.log)
    ours = {stem: samples_of(bench.stem(stem)) for stem in STEMS}
    measure(bench.peer(song, "--float"), bench.log)
    for stem in STEMS:
        theirs = samples_of(bench.output / f"{stem}.wav")
        frames = theirs.shape[1]  # the peer drops what does not fill its last window
        inner = slice(EDGE_FRAMES, frames - EDGE_FRAMES)
        error = ours[stem][:, inner] - theirs[:, inner]
        value = decibels(theirs[:, inner], error)
        yield at_least(
            60, f"Parity in the original manner, {stem}", value, "dB", "all but 0.1 s at the ends"
        )


def borders(bench: Bench) -> Iterator[Row]:
    """Whether one can tell from the samples where a chunk ends.

    The song is split twice, the second time half a chunk later, so that every border of the first
    lies in the middle of a chunk of the second. Where the two differ, in windows of 100 ms against
    the mix: once where the first crossfades, once where neither does.
    """
    entry = find(MODEL)
    hop = entry.chunk_frames - entry.overlap_frames
    delay = hop // 2
    song = bench.song(MINUTES_3)
    measure(bench.split(song, *FLOAT_WAV), bench.log)
    first = samples_of(bench.stem("vocals"))
    measure(bench.split(delayed(song, delay), *FLOAT_WAV), bench.log)
    second = samples_of(bench.stem("vocals"))[:, delay:]

    loss = window_decibels(samples_of(song), first - second)
    starts = np.arange(len(loss)) * int(WINDOW_S * MINUTES_3.rate_hz)
    at_border = (starts >= hop) & (starts % hop < entry.overlap_frames)
    at_other_border = (starts + delay) % hop < entry.overlap_frames
    elsewhere = float(np.nanmin(loss[~at_border & ~at_other_border]))
    worst = float(np.nanmin(loss[at_border]))
    yield Row("Worst 100 ms away from borders", elsewhere, "dB", detail="chunks cut in two ways")
    yield at_least(round(elsewhere, 2), "Worst 100 ms at a chunk border", worst, "dB", "the same")


def delayed(song: Path, frames: int) -> Path:
    """Write a song once more, with silence before it."""
    target = song.with_name("delayed.wav")
    with wave.open(str(song), "rb") as source, wave.open(str(target), "wb") as file:
        file.setparams(source.getparams())
        file.writeframes(bytes(frames * source.getnchannels() * source.getsampwidth()))
        file.writeframes(source.readframes(source.getnframes()))
    return target


def samples_of(path: Path) -> Samples:
    """Read a file as ``(2, frames)``, ±1.0 full scale."""
    with av.open(path) as container:
        to_float = av.AudioResampler(format="fltp")
        frames = [done for frame in container.decode(audio=0) for done in to_float.resample(frame)]
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float64)


def window_decibels(mix: Samples, error: Samples) -> NDArray[np.float64]:
    """For each window of 100 ms the mix against the error; nan where the mix is silent."""
    width = int(WINDOW_S * MINUTES_3.rate_hz)
    count = mix.shape[1] // width

    def energy(samples: Samples) -> NDArray[np.float64]:
        windows = samples[:, : count * width].reshape(2, count, width)
        return np.square(windows).mean(axis=(0, 2))

    mix_energy = energy(mix)
    audible = mix_energy > 10 ** (SILENCE_DB / 10)
    return np.where(audible, 10 * np.log10(mix_energy / (energy(error) + 1e-20)), np.nan)


def decibels(reference: Samples, error: Samples) -> float:
    """Energy of the reference against that of the error."""
    return 10 * float(np.log10(np.square(reference).sum() / (np.square(error).sum() + 1e-20)))
