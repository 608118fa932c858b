"""Files on this machine's disk in which uploads lie until they are whole.

A disk that fills up fails the upload that is written, with some space to spare: the database, which
may lie on the same disk, and whoever is to remove something must still be able to write.
"""

import hashlib
import os
import shutil
from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stemset.audio.files import sync_folder, writing
from stemset.dispatch.threads import Threads
from stemset.errors import NoSpace

WRITE_BYTES = 256 << 10
"""What is gathered in memory before it is written. 200 uploads at a time take 50 MB for it."""

_MAX_RESERVE_BYTES = 1 << 30
_RESERVED_PART = 0.05
_COPY_BYTES = 4 << 20
_SHOWN = Path("the upload")
_in_use: set[Path] = set()


def check_space(folder: Path, needed_bytes: int = 0) -> None:
    """Make sure that a disk keeps some space to spare. Raises NoSpace.

    Args:
        folder: A folder on it.
        needed_bytes: What is to be written.
    """
    usage = shutil.disk_usage(folder)
    reserve = min(_MAX_RESERVE_BYTES, int(_RESERVED_PART * usage.total))
    if usage.free - needed_bytes < reserve:
        raise NoSpace(
            f"The service's disk has {usage.free >> 20:,} MiB left, of which {reserve >> 20:,} MiB "
            f"stay free; {needed_bytes >> 20:,} MiB more are needed."
        )


class Spool:
    """A file that is being written and hashed; remove it, or what becomes of it, yourself.

    Attributes:
        path: The file.
        bytes: How much came so far.
    """

    def __init__(self, path: Path) -> None:
        """Begin. Raises NoSpace, OutputUnwritable."""
        self.path = path
        self.bytes = 0
        self._hash = hashlib.sha256()
        with writing(_SHOWN):
            self._file = path.open("xb", buffering=0)

    @property
    def sha256(self) -> str:
        """Hash of what came so far."""
        return self._hash.hexdigest()

    def write(self, blocks: Sequence[bytes]) -> None:
        """Write blocks; blocks, so call it in a thread. Raises NoSpace, OutputUnwritable."""
        check_space(self.path.parent)
        for block in blocks:
            self._hash.update(block)
            with writing(_SHOWN):
                _write_all(self._file.fileno(), block)
            self.bytes += len(block)

    def sync(self) -> None:
        """Make what was written survive a power cut. Raises NoSpace, OutputUnwritable."""
        with writing(_SHOWN):
            os.fsync(self._file.fileno())
            sync_folder(self.path.parent)

    def close(self) -> None:
        """Let go of the file; it stays."""
        with suppress(OSError):
            self._file.close()


async def fill(spool: Spool, blocks: AsyncIterable[bytes], threads: Threads) -> None:
    """Write all that comes, while no more than a little of it is in memory.

    Raises:
        NoSpace: The disk is full.
        OutputUnwritable: It cannot be written.
    """
    gathered: list[bytes] = []
    size = 0
    async for block in blocks:
        gathered.append(block)
        size += len(block)
        if size >= WRITE_BYTES:
            await threads.run(spool.write, gathered)
            gathered, size = [], 0
    if gathered:
        await threads.run(spool.write, gathered)


@contextmanager
def spooling(path: Path) -> Iterator[Spool]:
    """A spool whose file is removed at the end, whatever the end is."""
    spool = Spool(path)
    _in_use.add(path)
    try:
        yield spool
    finally:
        spool.close()
        path.unlink(missing_ok=True)
        _in_use.discard(path)


def is_in_use(path: Path) -> bool:
    """Whether somebody in this process is at work on a spool."""
    return path in _in_use


def make(path: Path, length: int) -> None:
    """Make a file that parts are written into. Raises NoSpace, OutputUnwritable."""
    with writing(_SHOWN), path.open("xb") as file:
        file.truncate(length)


def copy_into(part: Path, path: Path, offset: int) -> None:
    """Write a part into its place; when it returns, it survives a power cut.

    Raises:
        NoSpace: The disk is full.
        OutputUnwritable: It cannot be written.
    """
    check_space(path.parent, part.stat().st_size)
    with writing(_SHOWN), part.open("rb") as source, path.open("r+b") as target:
        target.seek(offset)
        shutil.copyfileobj(source, target, _COPY_BYTES)
        target.flush()
        os.fsync(target.fileno())


def write_at(path: Path, offset: int, blocks: Iterable[bytes], length: int) -> None:
    """Write blocks into a file, from a position on; blocks.

    Args:
        path: The file.
        offset: The position.
        blocks: What is written.
        length: How much it is.

    Raises:
        NoSpace: The disk is full.
        OutputUnwritable: It cannot be written.
    """
    check_space(path.parent, length)
    with writing(_SHOWN), path.open("r+b") as file:
        file.seek(offset)
        for block in blocks:
            file.write(block)


def hash_of(path: Path) -> str:
    """SHA-256 of a file; blocks. Raises OutputUnwritable if it cannot be read."""
    with writing(_SHOWN), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]
