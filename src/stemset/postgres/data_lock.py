"""One owner for each data folder: a lock that ends with the process that holds it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stemset.audio.files import writing
from stemset.errors import DataFolderInUse
from stemset.postgres._place import make_data_folder

_LOCK = "stemset.lock"
_TURN = "command.lock"


@contextmanager
def hold(data: Path, purpose: str) -> Iterator[None]:
    """Own a data folder; it is made if need be.

    Args:
        data: The folder.
        purpose: What the owner is, for the message that others get.

    Raises:
        DataFolderInUse: Another process owns it; the message names it.
        DatabaseStartFailed: As root: it lies in the system folder, and somebody can change that.
        NoSpace: The disk is full.
        OutputUnwritable: The folder cannot be written to.
    """
    with writing(data):
        make_data_folder(data)
        descriptor = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderInUse(_refusal(data, descriptor)) from error
        with writing(data):
            _sign(descriptor, purpose)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def take_turn(data: Path) -> Iterator[None]:
    """Wait until no command has the database for a moment: it stops the server at its end.

    Commands have a turn for as long as they need the database, services until they own the folder.

    Args:
        data: The folder; it is made if need be.

    Raises:
        NoSpace: The disk is full.
        OutputUnwritable: The folder cannot be written to.
    """
    with writing(data):
        make_data_folder(data)
        descriptor = os.open(data / _TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sign(descriptor: int, purpose: str) -> None:
    """Say who holds the lock."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "purpose": purpose, "since": since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _refusal(data: Path, descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        who = f"process {holder['pid']} ({holder['purpose']}) since {holder['since']}"
    except (ValueError, KeyError, TypeError):  # it has just taken the lock
        who = "another process"
    return f"The data folder {data} is in use by {who}. Stop it first, or choose another folder."
