"""obstore's errors in Stemset's own: the one place that knows obstore's."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore import exceptions as obstore_errors

from stemset.errors import (
    InvalidKey,
    NoSpace,
    ObjectExists,
    ObjectNotFound,
    StemsetError,
    StorageRefused,
    StorageUnavailable,
)
from stemset.storage._refusals import code_in, refusal

# The first type that fits counts. Where obstore tells an HTTP status, that decides instead.
BY_KIND: dict[type[Exception], type[StemsetError]] = {
    FileNotFoundError: ObjectNotFound,
    obstore_errors.NotFoundError: ObjectNotFound,
    obstore_errors.AlreadyExistsError: ObjectExists,
    obstore_errors.PreconditionError: ObjectExists,
    obstore_errors.InvalidPathError: InvalidKey,
    obstore_errors.NotModifiedError: StorageRefused,
    obstore_errors.NotSupportedError: StorageRefused,
    obstore_errors.PermissionDeniedError: StorageRefused,
    obstore_errors.UnauthenticatedError: StorageRefused,
    obstore_errors.UnknownConfigurationKeyError: StorageRefused,
    obstore_errors.GenericError: StorageUnavailable,
    obstore_errors.JoinError: StorageUnavailable,
    obstore_errors.BaseError: StorageUnavailable,
    ValueError: InvalidKey,  # a path that obstore cannot parse
    OSError: StorageUnavailable,
}
_STATUS = re.compile(r"status code: ([1-5][0-9]{2})\b")
_OS_ERROR = re.compile(r"\(os error ([0-9]+)\)")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}
_MAX_REASON_CHARACTERS = 200


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn whatever obstore raises into a leaf of Stemset's errors.

    Args:
        what: The key that is worked on, for the message.

    Raises:
        ObjectNotFound: There is no such object.
        ObjectExists: There is one already.
        InvalidKey: The key cannot be one.
        NoSpace: A disk or quota is full.
        StorageRefused: The keys, the bucket or the folder's rights are not as they must be.
        StorageUnavailable: Anything else, retries being used up.
    """
    try:
        yield
    except tuple(BY_KIND) as error:
        raise leaf(error, what) from error


def leaf(error: Exception, what: str) -> StemsetError:
    """The error to raise instead of one of obstore's or Python's."""
    text = str(error)
    if found := _STATUS.search(text):
        return refusal(int(found[1]), code_in(text), what)
    if found := _OS_ERROR.search(text):
        return _refused_by_system(int(found[1]), error, what)
    if isinstance(error, OSError) and error.errno is not None:
        return _refused_by_system(error.errno, error, what)
    return _of_kind(error, what)


def _refused_by_system(number: int, error: Exception, what: str) -> StemsetError:
    """What a local folder's file system says; sockets say the like, of other numbers."""
    if number in _FULL:
        return NoSpace(f"The disk is full: {what} could not be stored.")
    if number in _FORBIDDEN and not isinstance(error, obstore_errors.AlreadyExistsError):
        return StorageRefused(f"The folder refuses {what}: {errno.errorcode[number]}.")
    return _of_kind(error, what)


def _of_kind(error: Exception, what: str) -> StemsetError:
    kind = next(leaf for kind, leaf in BY_KIND.items() if isinstance(error, kind))
    if kind is ObjectNotFound:
        return ObjectNotFound(f"There is no object {what!r}.")
    if kind is ObjectExists:
        return ObjectExists(f"There is an object {what!r} with other content.")
    if kind is InvalidKey:
        return InvalidKey(f"{what!r} cannot be a key.")
    done = "is refused" if kind is StorageRefused else "is out of reach"
    return kind(f"The store {done} for {what}: {_reason(error)}.")


def _reason(error: Exception) -> str:
    """The first line of obstore's message, the end of it, where the reason stands."""
    line = str(error).partition("\n")[0].strip().rstrip(".")
    reason = line.rpartition(" - ")[2]
    return reason[-_MAX_REASON_CHARACTERS:] or type(error).__name__
