"""What clients say of uploads, and what they are told."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from stemset.api.uploads.division import count_of
from stemset.jobs.uploads import Method, Upload, UploadState

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.")]
PartNumber = Annotated[int, Field(ge=1, le=10_000)]


class Uploaded(BaseModel):
    """A file that is here."""

    upload_id: str
    filename: str = Field(description="Its name as it is shown, without folders.")
    size_bytes: int
    sha256: str
    recording_id: str = Field(description="The recording that it is: its SHA-256.")
    profile_name: str


class UploadRequest(BaseModel):
    """A file that is to be sent in parts."""

    filename: str = Field(min_length=1, max_length=1000)
    size_bytes: int = Field(ge=0, le=1 << 50)
    profile_name: str | None = Field(default=None, max_length=1000)
    sha256: Sha256 | None = Field(
        default=None,
        description="Where the store is a bucket, a file with a known hash is put there directly;"
        " one that is here already need not be sent.",
    )
    mark: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="How the client knows the file again after a reload, for example made of its"
        " length, time and first bytes. Without a mark or hash no upload is gone on with.",
    )


class UploadAnswer(BaseModel):
    """An upload in parts."""

    upload_id: str
    filename: str
    size_bytes: int
    profile_name: str
    method: Method = Field(
        description="direct: parts are sent here; presigned: they are put to links."
    )
    part_bytes: int = Field(description="Length of all parts but the last.")
    parts: int = Field(description="How many parts there are, numbered from 1.")
    received: list[int] = Field(description="Parts that need not be sent any more.")
    state: UploadState
    sha256: str | None
    recording_id: str | None = Field(description="The recording, once the upload is complete.")
    created_at: datetime


class LinksRequest(BaseModel):
    """Parts that are to be put to links."""

    parts: list[PartNumber] = Field(min_length=1, max_length=100)


class LinkAnswer(BaseModel):
    """Where a part is to be put."""

    part: int
    url: str = Field(description="Whoever has it may put this part; keep it to yourself.")


class LinksAnswer(BaseModel):
    """Where parts are to be put."""

    links: list[LinkAnswer]
    expires_s: int = Field(description="The links are valid so long; fresh ones can be asked for.")


class CompletionRequest(BaseModel):
    """All parts were sent."""

    sha256: Sha256 | None = None
    etags: dict[PartNumber, str] | None = Field(
        default=None,
        json_schema_extra={"propertyNames": {"pattern": "^([1-9][0-9]{0,3}|10000)$"}},
        description="What the bucket answered for each part; checked against what it has.",
    )


def uploaded(found: Upload) -> Uploaded:
    """What a client is told of a file that came in one piece."""
    return Uploaded(
        upload_id=found.id,
        filename=found.filename,
        size_bytes=found.size_bytes,
        sha256=str(found.sha256),
        recording_id=str(found.sha256),
        profile_name=found.profile,
    )


def answer_of(found: Upload) -> UploadAnswer:
    """What a client is told of an upload."""
    return UploadAnswer(
        upload_id=found.id,
        filename=found.filename,
        size_bytes=found.size_bytes,
        profile_name=found.profile,
        method=found.method,
        part_bytes=found.part_bytes or found.size_bytes,
        parts=count_of(found),
        received=list(found.received),
        state=found.state,
        sha256=found.sha256,
        recording_id=found.sha256 if found.state is UploadState.COMPLETE else None,
        created_at=found.created_at,
    )
