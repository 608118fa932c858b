"""Recordings and outputs as the API shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.job_views import JobView, job_views
from stemset.api.media.links import make_links
from stemset.api.media.names import content_type
from stemset.api.service import Service
from stemset.jobs.library import Entry
from stemset.jobs.outputs import Contents, Output
from stemset.jobs.recordings import Recording


class OutputSummary(BaseModel):
    """An output.

    Attributes:
        output_id: Its id.
        profile_name: Name of the profile.
        output_name: Its own name.
        recording_id: The recording.
        recording_name: What people call the recording.
        job_id: The job that made it; null if a command line did.
        stems: Names of its stems.
        format: Their format.
        bytes: Length of all its files together.
        completed_at: When its stems came to stand.
    """

    output_id: str
    profile_name: str
    output_name: str
    recording_id: str
    recording_name: str
    job_id: str | None
    stems: list[str]
    format: str | None
    bytes: int
    completed_at: datetime


class OutputFile(BaseModel):
    """A file of an output.

    Attributes:
        name: Its name, as in ``metadata``.
        bytes: Its length.
        sha256: Hash of its bytes.
        content_type: Its media type.
        url: Where to get it, whole or in ranges; needs no token, and ends at ``urls_expire_at``.
    """

    name: str
    bytes: int
    sha256: str
    content_type: str
    url: str


class OutputView(OutputSummary):
    """An output and all that it consists of.

    Attributes:
        metadata: What ``metadata.json`` holds: levels, gains, how it was made. URLs in it are names
            of ``files``.
        files: Its files: stems, waveforms, peaks.
        urls_expire_at: When the addresses in ``files`` end; get this again for new ones.
    """

    metadata: dict[str, Any]
    files: list[OutputFile]
    urls_expire_at: datetime


class RecordingView(BaseModel):
    """A recording.

    Attributes:
        recording_id: Its id: the SHA-256 of its bytes.
        name: What people call it.
        filename: The file's name when it last came.
        bytes: Its length.
        duration_s: Its duration, as far as it is known.
        rate_hz: Its sample rate, as far as it is known.
        channels: Number of its channels, as far as it is known.
        is_stored: Whether the recording itself is here, and not its stems only.
        created_at: When it first came.
        outputs: What was made of it, the newest first.
        newest_job: Its newest job.
    """

    recording_id: str
    name: str
    filename: str
    bytes: int
    duration_s: float | None
    rate_hz: int | None
    channels: int | None
    is_stored: bool
    created_at: datetime
    outputs: list[OutputSummary]
    newest_job: JobView | None


async def recording_views(
    connection: AsyncConnection, entries: Sequence[Entry]
) -> list[RecordingView]:
    """Recordings as they are shown, in the same order."""
    jobs = [entry.newest_job for entry in entries if entry.newest_job]
    views = {view.recording_id: view for view in await job_views(connection, jobs)}
    return [_recording(each, views.get(each.recording.sha256)) for each in entries]


def output_summary(output: Output) -> OutputSummary:
    """An output as lists show it."""
    return OutputSummary(**_summary(output))


async def output_view(service: Service, contents: Contents) -> OutputView:
    """An output and its files, with fresh addresses. Raises DatabaseError, StorageError."""
    names = list(contents.files)
    links = await make_links(service, contents.folder, names, datetime.now(UTC))
    files = [
        OutputFile(
            name=name,
            bytes=facts["bytes"],
            sha256=facts["sha256"],
            content_type=content_type(name),
            url=url,
        )
        for (name, facts), url in zip(contents.files.items(), links.urls, strict=True)
    ]
    return OutputView(
        **_summary(contents.output),
        metadata=dict(contents.metadata),
        files=files,
        urls_expire_at=links.expire_at,
    )


def _summary(output: Output) -> dict[str, Any]:
    return {
        "output_id": output.id,
        "profile_name": output.profile,
        "output_name": output.output_name,
        "recording_id": output.sha256,
        "recording_name": output.recording_name,
        "job_id": output.job_id,
        "stems": list(output.stems),
        "format": output.format,
        "bytes": output.bytes,
        "completed_at": output.completed_at,
    }


def _recording(entry: Entry, newest_job: JobView | None) -> RecordingView:
    recording: Recording = entry.recording
    return RecordingView(
        recording_id=recording.sha256,
        name=recording.name,
        filename=recording.filename,
        bytes=recording.bytes,
        duration_s=recording.duration_s,
        rate_hz=recording.rate_hz,
        channels=recording.channels,
        is_stored=recording.input_key is not None,
        created_at=recording.created_at,
        outputs=[output_summary(each) for each in entry.outputs],
        newest_job=newest_job,
    )
