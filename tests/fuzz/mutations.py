"""Damage that is done to files: by seed, the same one each time."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

_RATIOS = (1e-6, 1e-5, 1e-4, 1e-4, 1e-3, 1e-2)
_HEADER_BYTES = 512
_MARKS = (
    *(b"RIFF", b"RIFX", b"RF64", b"riff", b"fmt ", b"data", b"ds64", b"WAVE", b"LIST"),
    *(b"FORM", b"COMM", b"SSND", b"caff", b"desc", b"pakt", b".snd", b"fLaC", b"wvpk", b"TTA1"),
    *(b"OggS", b"OpusHead", b"OpusTags", b"vorbis", b"ID3", b"TAG", b"APIC", b"Xing", b"LAME"),
    *(b"ftyp", b"moov", b"mvhd", b"trak", b"mdhd", b"stsd", b"stts", b"stsc", b"stsz", b"stco"),
    *(b"mp4a", b"esds", b"alac", b"elst", b"mdat", b"\x1a\x45\xdf\xa3", b"A_FLAC", b"A_OPUS"),
)
"""What fields of a header stand beside."""


def mutant(sources: Sequence[Path], seed: int, number: int) -> bytes:
    """Return what is made of one of the files."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - damage is no secret
    content = bytearray(chance.choice(sources).read_bytes())
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        damage = chance.choice(_DAMAGES)
        damage(content, chance)
    if chance.random() < 1 / 20:
        other = chance.choice(sources).read_bytes()
        content += other[chance.randrange(len(other)) :]
    return bytes(content)


def _flip_bits(content: bytearray, chance: random.Random) -> None:
    end = chance.choice((len(content), min(len(content), _HEADER_BYTES)))
    if not end:
        return
    for _ in range(max(1, int(8 * end * chance.choice(_RATIOS)))):
        content[chance.randrange(end)] ^= 1 << chance.randrange(8)


def _cut(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content) + 1)
    if chance.random() < 1 / 5:
        del content[: min(at, _HEADER_BYTES)]
    else:
        del content[at:]


def _part(content: bytearray, chance: random.Random) -> slice:
    start = chance.randrange(len(content) + 1)
    return slice(start, start + chance.choice((1, 4, 100, 4_000, 50_000)))


def _drop(content: bytearray, chance: random.Random) -> None:
    del content[_part(content, chance)]


def _repeat(content: bytearray, chance: random.Random) -> None:
    part = _part(content, chance)
    content[part] = content[part] * chance.choice((2, 2, 10))


def _move(content: bytearray, chance: random.Random) -> None:
    part = _part(content, chance)
    moved = content[part]
    del content[part]
    at = chance.randrange(len(content) + 1)
    content[at:at] = moved


def _fill(content: bytearray, chance: random.Random) -> None:
    part = _part(content, chance)
    size = len(content[part])
    content[part] = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))


def _lie(content: bytearray, chance: random.Random) -> None:
    """Put a number where a header may have one: beside a mark, or anywhere at the beginning."""
    places = [place for mark in _MARKS if (place := content.find(mark)) >= 0]
    if places and chance.random() < 2 / 3:
        at = chance.choice(places) + chance.choice((-8, -4, 4, 8, 10, 12, 14, 16, 20, 22, 24))
    else:
        at = chance.randrange(_HEADER_BYTES)
    size = chance.choice((1, 2, 4, 4, 8))
    top = 1 << 8 * size
    number = chance.choice(
        (0, 1, 2, top - 1, top - 2, top // 2, top // 2 - 1, chance.randrange(top), len(content))
    )
    if 0 <= at <= len(content) - size:
        field = (number % top).to_bytes(size, chance.choice(("little", "big")))
        content[at : at + size] = field


_DAMAGES: Sequence[Callable[[bytearray, random.Random], None]] = (
    *(_flip_bits, _flip_bits, _flip_bits, _lie, _lie, _lie),
    *(_cut, _drop, _repeat, _move, _fill),
)
