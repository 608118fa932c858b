"""Calls to stores, and those that failed, counted for whoever watches this process.

What is counted is what callers see: a call that succeeded after it was tried again did not fail,
and an object that is not there, or is there already, is an answer.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product

from stemset.errors import (
    NoSpace,
    ObjectCorrupt,
    ObjectExists,
    ObjectNotFound,
    StemsetError,
    StorageRefused,
    StorageUnavailable,
)

OPERATIONS = (
    "create",
    "delete",
    "download",
    "head",
    "list",
    "multipart",
    "read",
    "stream",
    "upload",
    "write",
)

_ANSWERS = (ObjectExists, ObjectNotFound)
_CODES = [each.code for each in (StorageUnavailable, StorageRefused, NoSpace, ObjectCorrupt)]

# What is never named has no 0, and what begins at 1 shows no increase.
_made: Counter[str] = Counter(dict.fromkeys(OPERATIONS, 0))
_failed: Counter[tuple[str, str]] = Counter(dict.fromkeys(product(OPERATIONS, _CODES), 0))
_lock = threading.Lock()


def calls_made() -> Mapping[str, int]:
    """Calls of this process, by operation."""
    with _lock:
        return dict(_made)


def calls_failed() -> Mapping[tuple[str, str], int]:
    """Calls of this process that failed, by operation and the error's code."""
    with _lock:
        return dict(_failed)


@contextmanager
def counted(operation: str) -> Iterator[None]:
    """Count a call. Raises what it raises.

    Args:
        operation: What is done, one of ``OPERATIONS``.
    """
    with _lock:
        _made[operation] += 1
    with watched(operation):
        yield


@contextmanager
def watched(operation: str) -> Iterator[None]:
    """Count a failure of a call that was counted before. Raises what it raises."""
    try:
        yield
    except _ANSWERS:
        raise
    except StemsetError as error:
        with _lock:
            _failed[operation, error.code] += 1
        raise
