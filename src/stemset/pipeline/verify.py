"""Check an output against its own metadata, and against the recording it was made from."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemset.audio.decode import Decoder
from stemset.audio.resample import Resampler
from stemset.errors import InputError, OutputNotFound
from stemset.pipeline.output import METADATA_NAME, read_metadata
from stemset.separation.closing import Fifo, SumError

# Encoders of lossy formats work in packets; what a decoder trims can differ by one of them.
_LOSSY_TOLERANCE_S = 0.05


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found.

    Attributes:
        folder: The output.
        files: Number of files that were checked.
        problems: Everything that is not as it should be, in words.
        sum_error: How far the decoded stems' sum is from the original, if one was given and the
            stems are meant to add up.
        gain_db: The gain that the stems carry; the original is compared with it applied.
    """

    folder: Path
    files: int
    problems: tuple[str, ...]
    sum_error: SumError | None
    gain_db: float


def verify_output(folder: Path, original: Path | None = None) -> Verification:
    """Check an output.

    Args:
        folder: The output folder.
        original: The recording that it was made from.

    Raises:
        OutputNotFound: There is no output in the folder.
        InputError: The original cannot be read.
    """
    metadata = read_metadata(folder)
    if metadata is None:
        raise OutputNotFound(f"{folder} holds no output: there is no {METADATA_NAME} to read.")
    problems = [*_check_files(folder, metadata)]
    sum_error = None
    if not problems:
        problems += _check_frames(folder, metadata)
    if original is not None:
        problems += _check_original(original, metadata)
        if not problems and metadata["sum_to_mix"]:
            sum_error = _sum_error(folder, original, metadata)
            problems += _check_sum(sum_error, metadata)
    return Verification(
        folder, len(metadata["files"]), tuple(problems), sum_error, metadata["gain_db"]
    )


def _check_files(folder: Path, metadata: Mapping[str, Any]) -> Iterator[str]:
    for name, known in metadata["files"].items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing."
        elif path.stat().st_size != known["bytes"]:
            yield f"{name} has {path.stat().st_size} bytes, not {known['bytes']}."
        elif _sha256(path) != known["sha256"]:
            yield f"{name} has other content than was written."


def _check_frames(folder: Path, metadata: Mapping[str, Any]) -> Iterator[str]:
    recording = metadata["recording"]
    for name, stem in metadata["stems"].items():
        try:
            with Decoder(folder / stem["stem_url"]) as decoder:
                frames = sum(block.shape[-1] for block in decoder)
                rate_hz = decoder.format.rate_hz
                lossless = decoder.format.lossless
        except InputError as error:
            yield f"{stem['stem_url']} cannot be decoded: {error}"
            continue
        wanted = recording["frames"] * rate_hz / recording["rate_hz"]
        tolerance = 0 if lossless else _LOSSY_TOLERANCE_S * rate_hz
        if abs(frames - wanted) > tolerance:
            yield f"The stem {name} has {frames} frames, not {wanted:.0f}."


def _check_original(original: Path, metadata: Mapping[str, Any]) -> Iterator[str]:
    if not original.is_file():
        yield f"There is no file {original}."
    elif _sha256(original) != metadata["recording"]["sha256"]:
        yield f"{original} is not the recording that this output was made from."


def _check_sum(error: SumError, metadata: Mapping[str, Any]) -> Iterator[str]:
    """A lossless output must add up as well as its metadata says it did before encoding."""
    depth = metadata["encoding"]["depth"]
    if depth is None:
        return
    step = 2.0 ** (1 - int(depth.rstrip("f"))) if not depth.endswith("f") else 2.0**-22
    allowed = max(metadata["sum_to_mix"]["largest_error"], 0.0) + step / 1024
    if error.largest > allowed:
        yield f"The stems miss the mix by up to {error.largest:.3g} of full scale."


def _sum_error(folder: Path, original: Path, metadata: Mapping[str, Any]) -> SumError:
    """Decode the original and all stems side by side and compare, in constant memory."""
    gain = 10 ** (metadata["gain_db"] / 20)
    result = SumError()
    with ExitStack() as stack:
        paths = [original, *(folder / stem["stem_url"] for stem in metadata["stems"].values())]
        decoders = [stack.enter_context(Decoder(path)) for path in paths]
        rate_hz = decoders[0].format.rate_hz
        streams = [_Stream(decoder, rate_hz) for decoder in decoders]
        while frames := min(stream.available() for stream in streams):
            mix, *stems = [stream.take(frames) for stream in streams]
            wanted = mix * gain
            result.add(sum(stems, start=np.zeros_like(wanted)) - wanted, wanted)
    return result


class _Stream:
    """A decoder, read in pieces of any length at the original's rate."""

    def __init__(self, decoder: Decoder, rate_hz: int) -> None:
        self._blocks = iter(decoder)
        self._resampler = Resampler(decoder.format.rate_hz, rate_hz, len(decoder.format.channels))
        self._ended = False
        self._fifo = Fifo()

    def available(self) -> int:
        """Frames that can be taken, 0 at the end."""
        while not self._fifo.frames and not self._ended:
            block = next(self._blocks, None)
            self._ended = block is None
            resampler = self._resampler
            ready = resampler.finish() if block is None else resampler.push(block)
            self._fifo.push(ready.astype(np.float64))
        return self._fifo.frames

    def take(self, frames: int) -> NDArray[np.float64]:
        """Take frames that are available."""
        return self._fifo.take(frames).astype(np.float64, copy=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
