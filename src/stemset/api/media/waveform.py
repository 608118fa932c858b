"""An output's waveform as lists draw it: a few hundred numbers, of all stems together.

The peaks of each stem lie in the store at several resolutions. Of these the coarsest is read that
is still fine enough: a few kilobytes for a song, about 20 for each stem and hour of a long
recording.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stemset.audio.peaks_header import HEADER_BYTES, parse_header
from stemset.errors import ObjectCorrupt, OutputInvalid
from stemset.jobs.outputs import Contents
from stemset.storage.store import Store

POINTS = 240
"""Twice as many as a list's picture has columns on a usual screen."""

LARGEST_BYTES = 1 << 20
"""Of a peaks file that is read: the coarsest of two days at 48 kHz has less."""


def peaks_files(contents: Contents) -> list[str]:
    """Names of the peaks files to be read, one for each stem that has any."""
    stems = contents.metadata.get("stems", {}).values()
    return [file for stem in stems if (file := _file(contents.files, stem)) is not None]


def waveform(store: Store, contents: Contents) -> list[int]:
    """The largest absolute peak of any stem in each of ``POINTS`` equal stretches of an output.

    Returns:
        Numbers from 0 to 128, which is full scale; none if there are no peaks of any stem.

    Raises:
        ObjectNotFound: A file is missing.
        ObjectCorrupt: A file is not what it should be.
        StorageError: The store does not answer.
    """
    stems = [_points(store, contents.folder.key(file)) for file in peaks_files(contents)]
    return [max(each) for each in zip(*stems, strict=True)]


def _file(files: Mapping[str, Mapping[str, Any]], stem: Mapping[str, Any]) -> str | None:
    """The coarsest of a stem's files that has a pixel for each point, else the finest."""
    lengths = {name: files[name]["bytes"] for name in stem.get("peaks_urls", ()) if name in files}
    fit = {name: length for name, length in lengths.items() if _pixels(length) >= POINTS}
    if fit:
        return min(fit, key=fit.__getitem__)
    return max(lengths, key=lengths.__getitem__, default=None)


def _pixels(length: int) -> int:
    return (length - HEADER_BYTES) // 2


def _points(store: Store, key: str) -> list[int]:
    data = store.read(key, limit=LARGEST_BYTES)
    try:
        count = parse_header(data, len(data), key).pixels
    except OutputInvalid as error:
        raise ObjectCorrupt(str(error)) from error
    if not count:
        return [0] * POINTS
    values = memoryview(data)[HEADER_BYTES:].cast("b")
    least, greatest = values[::2], values[1::2]
    extremes = ((min(least[part]), max(greatest[part])) for part in _parts(count))
    return [max(0, -low, high) for low, high in extremes]


def _parts(count: int) -> Iterator[slice]:
    """``POINTS`` equal parts of some pixels; of fewer pixels, each stands in several."""
    for point in range(POINTS):
        begin = point * count // POINTS
        yield slice(begin, max((point + 1) * count // POINTS, begin + 1))
