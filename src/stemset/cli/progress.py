"""How far a recording is, wherever the work is done."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """What is being done, in the order in which it is done.

    On this machine there are ``loading``, ``separating`` and ``encoding``.
    """

    UPLOADING = "uploading"
    WAKING = "waking"
    LOADING = "loading"
    DOWNLOADING = "downloading"
    SEPARATING = "separating"
    ENCODING = "encoding"
    UPLOADING_STEMS = "uploading_stems"
    FETCHING_STEMS = "fetching_stems"


class Progress(Protocol):
    """How far it is.

    ``fraction`` is 0–1 over the whole work of whoever separates; over the upload alone while the
    recording is uploaded, and over the download alone while its stems are fetched.
    """

    @property
    def phase(self) -> str:
        """What is being done."""
        ...

    @property
    def fraction(self) -> float:
        """0–1."""
        ...

    @property
    def eta_s(self) -> float | None:
        """Time left in seconds, None while it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteProgress:
    """Progress of remote work; see ``Progress``."""

    phase: Phase
    fraction: float
    eta_s: float | None = None


OnProgress = Callable[[Progress], None]
