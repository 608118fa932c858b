"""Starting jobs: ``POST /api/process``, as pages and scripts have always called it, and anew."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.access import Writer
from stemset.api.errors import errors
from stemset.api.quotas import job_refusal
from stemset.api.routes.recordings import RecordingId
from stemset.api.service import Service, ServiceOf
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.config import Profile
from stemset.errors import (
    Forbidden,
    InvalidKey,
    NotUploaded,
    OutputNameTaken,
    QuotaExceeded,
    RecordingNotFound,
    UnknownProfile,
)
from stemset.jobs import accepting, library, uploads
from stemset.jobs.caller import Caller
from stemset.jobs.job import Job, Request
from stemset.jobs.recordings import Recording
from stemset.jobs.uploads import Upload
from stemset.storage.keys import SHORT_SHA256, output_name, output_prefix
from stemset.telemetry import bound, crash_point, get_logger

router = APIRouter(prefix="/api", tags=["jobs"])
_log = get_logger("api")

Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class ProcessRequest(BaseModel):
    """What is to be separated.

    Attributes:
        profile_name: Name of the profile.
        filename: Name of a file that the caller uploaded; the newest of that name is meant.
        output_name: Name of the output, kept literally; by default made from the file's name and
            hash.
    """

    profile_name: Name
    filename: Name
    output_name: Name | None = None


class RecordingProcessRequest(BaseModel):
    """How a recording is to be separated.

    Attributes:
        profile_name: Name of the profile.
        output_name: Name of the output, kept literally; by default made from the file's name and
            hash.
    """

    profile_name: Name
    output_name: Name | None = None


class ProcessAccepted(BaseModel):
    """The job.

    Attributes:
        job_id: Its id; the same request again gives the same one.
        output_name: Name of its output.
        created: Whether it is new.
    """

    job_id: str
    output_name: str
    created: bool = Field(description="false where the same was asked for before")


_LINKS: dict[int | str, dict[str, Any]] = {
    200: {
        "links": {
            "status": {
                "operationId": "get_job_status",
                "parameters": {"job_id": "$response.body#/job_id"},
            },
            "job": {
                "operationId": "get_job",
                "parameters": {"job_id": "$response.body#/job_id"},
            },
        }
    }
}
_REFUSALS = (UnknownProfile, NotUploaded, OutputNameTaken, QuotaExceeded, InvalidKey, Forbidden)


@router.post("/process", operation_id="process", responses={**_LINKS, **errors(*_REFUSALS)})
async def process(service: ServiceOf, caller: Writer, wanted: ProcessRequest) -> ProcessAccepted:
    """Separate an uploaded file.

    Once this has answered, the job ends in ``complete`` or ``error``, whatever crashes. If the
    answer is lost, asking again is safe.
    """
    profile = service.profile_for(caller, wanted.profile_name)
    async with service.database.transaction() as connection:
        upload = await uploads.newest(connection, caller.id, wanted.filename)
        made = _requests(service, caller, profile, upload, wanted.output_name)
        job, is_new = await _accept(service, connection, made)
        crash_point("api:before-commit")
    crash_point("api:after-commit")
    return _accepted(job, is_new=is_new, upload_id=upload.id)


@router.post(
    "/recordings/{recording_id}/process",
    operation_id="process_recording",
    responses={**_LINKS, **errors(RecordingNotFound, *_REFUSALS)},
)
async def process_recording(
    service: ServiceOf, caller: Writer, recording_id: RecordingId, wanted: RecordingProcessRequest
) -> ProcessAccepted:
    """Separate a recording that is here, for example with another profile.

    This is for recordings in the library, whoever brought them and whatever else has their name.
    """
    profile = service.profile_for(caller, wanted.profile_name)
    async with service.database.transaction() as connection:
        recording = (await library.get(connection, recording_id, caller.profiles)).recording
        if recording.input_key is None:
            raise NotUploaded(f"Only stems of {recording.name!r} are here. Upload it again.")
        made = _requests(service, caller, profile, recording, wanted.output_name)
        job, is_new = await _accept(service, connection, made)
    return _accepted(job, is_new=is_new)


async def _accept(
    service: Service, connection: AsyncConnection, made: Sequence[Request]
) -> tuple[Job, bool]:
    """Take a job, if its profile has room for what it makes, or find the one that was taken."""
    refusal = await job_refusal(service, connection, made[0].profile)
    job, is_new = await accepting.accept_first(connection, made)
    if refusal is not None and is_new:
        raise refusal
    return job, is_new


def _accepted(job: Job, *, is_new: bool, upload_id: str | None = None) -> ProcessAccepted:
    _log.info(
        f"Job {job.id} accepted" if is_new else f"Job {job.id} was asked for again",
        job_id=job.id,
        profile=job.profile,
        queue=job.queue,
        sha256=job.sha256,
        upload_id=upload_id,
    )
    return ProcessAccepted(job_id=job.id, output_name=job.output_name, created=is_new)


def _requests(
    service: Service,
    caller: Caller,
    profile: Profile,
    source: Upload | Recording,
    chosen: str | None,
) -> list[Request]:
    """What can be asked of the ledger: under the name that was chosen, or those that are made."""
    return [_request(service, caller, profile, source, name) for name in _names(source, chosen)]


def _names(source: Upload | Recording, chosen: str | None) -> list[str]:
    """The name that was chosen, or those that are made for the output, the shortest first."""
    if chosen is not None:
        return [chosen]
    sha256 = str(source.sha256)
    every = range(SHORT_SHA256, len(sha256) + 1, SHORT_SHA256)
    return [output_name(source.filename, sha256, digits) for digits in every]


def _request(
    service: Service, caller: Caller, profile: Profile, source: Upload | Recording, name: str
) -> Request:
    output_prefix(profile.name, name)
    choice = OutputChoice(profile.output.format, profile.output.bitrate, profile.output.depth)
    strategy = service.settings.strategy(profile.strategy)
    return Request(
        sha256=str(source.sha256),
        filename=source.filename,
        input_key=str(source.input_key),
        profile=profile.name,
        output_name=name,
        strategy_name=profile.strategy,
        strategy=strategy.tree(),
        output=choice.as_json(),
        fingerprint=fingerprint(strategy, choice),
        queue=service.queue_of(profile),
        owner=caller.id,
        request_id=bound("request_id"),
    )
