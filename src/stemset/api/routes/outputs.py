"""Outputs: what was made, listed, looked at, downloaded, deleted."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from stemset.api.access import Reader, Writer
from stemset.api.auditing import ActorOf
from stemset.api.errors import errors
from stemset.api.library_views import OutputSummary, OutputView, output_summary, output_view
from stemset.api.media.archive import Archive, stem_files
from stemset.api.media.body import StoredBody
from stemset.api.media.names import attachment, content_type, file_name
from stemset.api.media.ranges import Version, is_known
from stemset.api.media.serving import KEPT_FOR_EVER, serve
from stemset.api.media.waveform import POINTS, waveform
from stemset.api.removing import remove_objects
from stemset.api.routes.media import BYTES, PARTS, FileName
from stemset.api.service import ServiceOf
from stemset.errors import (
    Forbidden,
    InvalidCursor,
    ObjectCorrupt,
    ObjectNotFound,
    OutputNotFound,
    StorageUnavailable,
)
from stemset.jobs import audit, deletion, outputs
from stemset.jobs.audit import Action

router = APIRouter(prefix="/api/outputs", tags=["outputs"])

OutputId = Annotated[str, Path(pattern="^[0-9a-z]{1,64}$")]

_ZIP: dict[int | str, dict[str, Any]] = {
    200: {"description": "The archive.", "content": {"application/zip": BYTES}}
}


class OutputPage(BaseModel):
    """Outputs, the newest first.

    Attributes:
        outputs: Some of them.
        next_cursor: Gives the page after this one; null on the last.
    """

    outputs: list[OutputSummary]
    next_cursor: str | None


class OutputWaveform(BaseModel):
    """What a list draws of an output.

    Attributes:
        peaks: The largest absolute peak of any stem in each of 240 equal stretches of time, 128 is
            full scale; none where the output came without peaks.
    """

    peaks: list[Annotated[int, Field(ge=0, le=128)]]


@router.get("", operation_id="list_outputs", responses=errors(InvalidCursor, Forbidden))
async def list_outputs(
    service: ServiceOf,
    caller: Reader,
    *,
    profile: Annotated[str | None, Query(max_length=64)] = None,
    search: Annotated[
        str | None, Query(max_length=200, description="in the output's or the recording's name")
    ] = None,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OutputPage:
    """List outputs, the newest first, page by page."""
    if profile is not None:
        caller.check_profile(profile)
    async with service.database.reading() as connection:
        found, after = await outputs.page(
            connection,
            profiles=caller.profiles if profile is None else [profile],
            search=search,
            cursor=cursor,
            limit=limit,
        )
    return OutputPage(outputs=[output_summary(each) for each in found], next_cursor=after)


@router.get(
    "/{output_id}",
    operation_id="get_output",
    responses=errors(OutputNotFound, Forbidden, StorageUnavailable),
)
async def get_output(service: ServiceOf, caller: Reader, output_id: OutputId) -> OutputView:
    """Look an output up: its metadata, and addresses of its files that need no token."""
    async with service.database.reading() as connection:
        contents = await outputs.get(connection, output_id, caller.profiles)
    return await output_view(service, contents)


@router.get(
    "/{output_id}/waveform",
    operation_id="get_output_waveform",
    response_model=OutputWaveform,
    responses={
        304: {"description": "The client has it already (`If-None-Match`)."},
        **errors(OutputNotFound, ObjectNotFound, ObjectCorrupt, Forbidden, StorageUnavailable),
    },
)
async def get_output_waveform(
    service: ServiceOf,
    caller: Reader,
    output_id: OutputId,
    request: Request,
    completed_at: Annotated[
        str | None,
        Query(max_length=40, description="as lists have it; what is made anew has another"),
    ] = None,
) -> Response:
    """Look at an output's waveform: a few hundred bytes, all stems together.

    With ``completed_at`` as it stands, the answer may be kept for ever; else it is asked for again.
    """
    async with service.database.reading() as connection:
        contents = await outputs.get(connection, output_id, caller.profiles)
    stands = contents.output
    version = Version(POINTS, f'"{contents.folder.name}-{POINTS}"', stands.completed_at)
    is_it = completed_at is not None and _is_moment(completed_at, stands.completed_at)
    headers = {
        "cache-control": KEPT_FOR_EVER if is_it else "private, no-cache",
        "etag": version.etag,
    }
    if is_known(request.headers, version):
        return Response(None, 304, headers)
    peaks = await service.threads.run(waveform, service.store, contents)
    return JSONResponse(OutputWaveform(peaks=peaks).model_dump(), headers=headers)


@router.delete(
    "/{output_id}",
    operation_id="delete_output",
    status_code=204,
    response_class=Response,
    responses=errors(OutputNotFound, Forbidden),
)
async def delete_output(
    service: ServiceOf,
    caller: Writer,
    actor: ActorOf,
    output_id: OutputId,
    after: BackgroundTasks,
) -> None:
    """Delete an output; the recording stays, and open jobs that would make it anew end."""
    async with service.database.transaction() as connection:
        output = (await outputs.get(connection, output_id, caller.profiles)).output
        action, name = Action.OUTPUT_DELETED, output.recording_name
        await audit.note(connection, actor, action, name, output_id=output_id)
        await deletion.delete_output(connection, output_id, caller.profiles)
    after.add_task(remove_objects, service)


@router.head("/{output_id}/files/{name}", include_in_schema=False)
@router.get(
    "/{output_id}/files/{name}",
    operation_id="download_file",
    response_class=Response,
    responses={**PARTS, **errors(OutputNotFound, ObjectNotFound, Forbidden, StorageUnavailable)},
)
async def download_file(
    service: ServiceOf, caller: Reader, output_id: OutputId, name: FileName, request: Request
) -> Response:
    """Download one file of an output, whole or a range of it, under its recording's name."""
    async with service.database.reading() as connection:
        contents = await outputs.get(connection, output_id, caller.profiles)
    contents.length(name)
    saved_as = f"{file_name(contents.output.recording_name)} - {name}"
    headers = {"content-type": content_type(name), "content-disposition": attachment(saved_as)}
    return await serve(service, request, contents.folder.key(name), headers)


@router.head("/{output_id}/zip", include_in_schema=False)
@router.get(
    "/{output_id}/zip",
    operation_id="download_zip",
    response_class=Response,
    responses={**_ZIP, **errors(OutputNotFound, ObjectNotFound, Forbidden, StorageUnavailable)},
)
async def download_zip(
    service: ServiceOf, caller: Reader, output_id: OutputId, request: Request
) -> Response:
    """Download all stems of an output, and its metadata, as one ZIP file."""
    async with service.database.reading() as connection:
        contents = await outputs.get(connection, output_id, caller.profiles)
    for file in stem_files(contents.metadata):
        # Found missing now, it is answered in due form.
        await service.threads.run(service.store.head, contents.folder.key(file))
    archive = Archive(service.store, contents)
    headers = {
        "content-type": "application/zip",
        "content-length": str(len(archive)),
        "content-disposition": attachment(f"{archive.name} - stems.zip"),
        "cache-control": "private, no-store",
    }
    if request.method == "HEAD":
        return Response(None, 200, headers)
    return StoredBody(service.threads, iter(archive), headers=headers)


def _is_moment(text: str, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(text) == moment
    except ValueError:
        return False
