"""What the process answers with: one number for each branch of the error tree."""

from enum import IntEnum

from stemset.errors import (
    ConfigError,
    DatabaseError,
    InputError,
    ModelError,
    OrderError,
    OutputError,
    RemoteError,
    SeparationError,
    ServiceError,
    StemsetError,
    StorageError,
)


class ExitCode(IntEnum):
    """Exit codes, part of the contract with scripts."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    SOME_FAILED = 3
    MISSING = 4
    REMOTE = 5
    INTERRUPTED = 130


BY_BRANCH: dict[type[StemsetError], ExitCode] = {
    ConfigError: ExitCode.USAGE,
    InputError: ExitCode.FAILURE,
    ModelError: ExitCode.MISSING,
    SeparationError: ExitCode.FAILURE,
    OutputError: ExitCode.FAILURE,
    StorageError: ExitCode.REMOTE,
    DatabaseError: ExitCode.FAILURE,
    ServiceError: ExitCode.FAILURE,
    OrderError: ExitCode.REMOTE,
    RemoteError: ExitCode.REMOTE,
}


def exit_code(error: StemsetError) -> ExitCode:
    """The exit code of an error."""
    return next(code for branch, code in BY_BRANCH.items() if isinstance(error, branch))
