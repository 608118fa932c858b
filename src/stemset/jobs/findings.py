"""Findings: what can be removed, and why; and the line in the log when it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stemset.telemetry import get_logger

_log = get_logger("jobs")


class Reason(StrEnum):
    """Why something can be removed."""

    OUTPUT_AGE = "output_age"
    INPUT_AGE = "input_age"
    ORPHAN = "orphan"
    UPLOAD_ABANDONED = "upload_abandoned"


_EVENTS = {
    Reason.OUTPUT_AGE: "Output removed: past its age",
    Reason.INPUT_AGE: "Input removed: past its age",
    Reason.ORPHAN: "Orphan removed",
    Reason.UPLOAD_ABANDONED: "Upload removed: abandoned",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that can be removed.

    Attributes:
        reason: Why.
        id: An output's id, a recording's SHA-256, an attempt's prefix, an upload's id.
        profile: Name of its profile, None where that is not known.
        place: Where it lies: a key, or a folder's prefix; what it is called, if it lies nowhere.
        bytes: How much there is of it.
        since: When it was made, last used or ended: its age counts from then.
    """

    reason: Reason
    id: str
    profile: str | None
    place: str
    bytes: int
    since: datetime

    def tell_removed(self) -> None:
        """Say in the log that it was removed."""
        _log.info(
            _EVENTS[self.reason],
            id=self.id,
            reason=self.reason,
            profile=self.profile,
            place=self.place,
            bytes=self.bytes,
            since=self.since.isoformat(),
        )
