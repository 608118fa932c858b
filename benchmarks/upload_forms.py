"""Forms with a recording in them, made while they are sent."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 256 * 1024

_BOUNDARY = "stemset-benchmark"
_END = f"\r\n--{_BOUNDARY}--\r\n".encode()
_RATE_HZ, _CHANNELS, _SAMPLE_BYTES = 48_000, 2, 2


@dataclass(frozen=True)
class Form:
    """A form with one file.

    Attributes:
        filename: The file's name.
        length: Its length in bytes.
        content: Gives it, block by block.
    """

    filename: str
    length: int
    content: Callable[[], Iterator[bytes]]

    @property
    def headers(self) -> Mapping[str, object]:
        """Headers of the request."""
        length = len(self._begin) + self.length + len(_END)
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        return {"content-type": kind, "content-length": length}

    def blocks(self) -> Iterator[bytes]:
        """The body of the request."""
        yield self._begin
        yield from self.content()
        yield _END

    @property
    def _begin(self) -> bytes:
        disposition = f'form-data; name="file"; filename="{self.filename}"'
        return (
            f"--{_BOUNDARY}\r\nContent-Disposition: {disposition}\r\n"
            "Content-Type: audio/wav\r\n\r\n"
        ).encode()


def file_form(path: Path) -> Form:
    """A form with a file that there is."""

    def content() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(BLOCK_BYTES), b"")

    return Form(path.name, path.stat().st_size, content)


def noise() -> bytes:
    """A block of noise, the same each time."""
    return random.Random(20).randbytes(BLOCK_BYTES)  # noqa: S311 - it is noise


def take_form(number: int, length: int, samples: bytes) -> Form:
    """A form with a WAV file, first noise and then silence, another for each number.

    Args:
        number: Which one; its bytes are the first samples.
        length: Length of the file.
        samples: A block of noise.
    """

    def content() -> Iterator[bytes]:
        unique = number.to_bytes(4, "little") * 64
        begin = _wav_header(length) + unique
        yield begin
        left = length - len(begin)
        silence = bytes(len(samples))
        while left:
            block = (samples if left > length // 2 else silence)[:left]
            yield block
            left -= len(block)

    return Form(f"take {number}.wav", length, content)


def _wav_header(file_bytes: int) -> bytes:
    def number(value: int, size: int = 4) -> bytes:
        return value.to_bytes(size, "little")

    frame = _CHANNELS * _SAMPLE_BYTES
    form = number(1, 2) + number(_CHANNELS, 2) + number(_RATE_HZ) + number(_RATE_HZ * frame)
    form += number(frame, 2) + number(8 * _SAMPLE_BYTES, 2)
    head = b"WAVEfmt " + number(len(form)) + form + b"data"
    return b"RIFF" + number(file_bytes - 8) + head + number(file_bytes - 12 - len(head))
