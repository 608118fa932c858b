"""Uploads: a file in one form, or in parts that can be gone on with after any break."""

from typing import Any

from fastapi import APIRouter, Request, Response, status

from stemset.api.access import Reader, Writer
from stemset.api.errors import errors
from stemset.api.upload_views import (
    CompletionRequest,
    LinkAnswer,
    LinksAnswer,
    LinksRequest,
    PartNumber,
    UploadAnswer,
    Uploaded,
    UploadRequest,
    answer_of,
    uploaded,
)
from stemset.api.uploads import course, direct, whole
from stemset.api.uploads.closing import BodyRoute
from stemset.api.uploads.course import Announced
from stemset.api.uploads.desk import DeskOf
from stemset.errors import (
    CorruptAudio,
    DecoderCrashed,
    DecoderFailed,
    Forbidden,
    InputEmpty,
    NoAudioTrack,
    NoSpace,
    NotAudio,
    QuotaExceeded,
    RecordingTooLong,
    ServiceBusy,
    StorageUnavailable,
    TruncatedAudio,
    UnknownProfile,
    UnsupportedChannels,
    UnsupportedRate,
    UploadComplete,
    UploadIncomplete,
    UploadMismatch,
    UploadNotFound,
    UploadStalled,
    UploadTooLarge,
)
from stemset.storage.presigned_upload import EXPIRES_S

router = APIRouter(prefix="/api", tags=["uploads"], route_class=BodyRoute)

_NO_RECORDING = (
    InputEmpty,
    NotAudio,
    NoAudioTrack,
    CorruptAudio,
    TruncatedAudio,
    UnsupportedChannels,
    UnsupportedRate,
    RecordingTooLong,
    DecoderCrashed,
    DecoderFailed,
)
_NOT_NOW = (ServiceBusy, NoSpace, StorageUnavailable)
_BYTES = {"type": "string", "format": "binary"}
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {**_BYTES, "description": "The recording, with its file name."},
                        "profile_name": {
                            "type": "string",
                            "description": "The profile that it is for; by default the first one.",
                        },
                    },
                }
            }
        },
    }
}
_PART: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _BYTES}}}
}


@router.post(
    "/upload",
    operation_id="upload",
    openapi_extra=_FORM,
    responses=errors(
        UnknownProfile,
        Forbidden,
        QuotaExceeded,
        UploadTooLarge,
        UploadStalled,
        *_NO_RECORDING,
        *_NOT_NOW,
    ),
)
async def upload(desk: DeskOf, caller: Writer, request: Request) -> Uploaded:
    """Upload a file in one piece.

    Once this has answered, the file is kept, whatever crashes. A file that is no recording is
    refused, and nothing of it is kept.
    """
    return uploaded(await whole.receive(desk, request, caller))


@router.post(
    "/uploads",
    operation_id="begin_upload",
    responses=errors(
        UnknownProfile, Forbidden, QuotaExceeded, UploadTooLarge, InputEmpty, *_NOT_NOW
    ),
)
async def begin_upload(desk: DeskOf, caller: Writer, wanted: UploadRequest) -> UploadAnswer:
    """Begin an upload in parts, or go on with one.

    The same file again gives the same upload, as long as it is open. If the recording is here
    already, the upload is complete at once.
    """
    announced = Announced(
        wanted.filename, wanted.size_bytes, wanted.profile_name, wanted.sha256, wanted.mark
    )
    return answer_of(await course.begin(desk, caller, announced))


@router.get("/uploads", operation_id="list_uploads", responses=errors(StorageUnavailable))
async def list_uploads(desk: DeskOf, caller: Reader) -> list[UploadAnswer]:
    """List the caller's open uploads, the newest first."""
    return [answer_of(each) for each in await course.list_open(desk, caller)]


@router.get(
    "/uploads/{upload_id}",
    operation_id="get_upload",
    responses=errors(UploadNotFound, StorageUnavailable),
)
async def get_upload(desk: DeskOf, caller: Reader, upload_id: str) -> UploadAnswer:
    """Look an upload up: which of its parts are here."""
    return answer_of(await course.seen(desk, await course.look_up(desk, caller, upload_id)))


@router.put(
    "/uploads/{upload_id}/parts/{part}",
    operation_id="put_upload_part",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=_PART,
    responses=errors(
        UploadNotFound, UploadComplete, UploadMismatch, UploadStalled, ServiceBusy, NoSpace
    ),
)
async def put_upload_part(
    desk: DeskOf, caller: Writer, upload_id: str, part: PartNumber, request: Request
) -> Response:
    """Send a part: its bytes as they are, all of them.

    The same part again is no error; parts may come in any order, several at a time.
    """
    await direct.receive(desk, caller, upload_id, part, request)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post(
    "/uploads/{upload_id}/links",
    operation_id="get_upload_links",
    responses=errors(UploadNotFound, UploadComplete, UploadMismatch, StorageUnavailable),
)
async def get_upload_links(
    desk: DeskOf, caller: Writer, upload_id: str, wanted: LinksRequest
) -> LinksAnswer:
    """Get links that parts are to be put to, fresh ones at each call."""
    urls = await course.links(desk, caller, upload_id, wanted.parts)
    pairs = zip(wanted.parts, urls, strict=True)
    links = [LinkAnswer(part=part, url=url) for part, url in pairs]
    return LinksAnswer(links=links, expires_s=EXPIRES_S)


@router.post(
    "/uploads/{upload_id}/complete",
    operation_id="complete_upload",
    responses=errors(
        UploadNotFound,
        UploadIncomplete,
        UploadMismatch,
        *_NO_RECORDING,
        NoSpace,
        StorageUnavailable,
    ),
)
async def complete_upload(
    desk: DeskOf, caller: Writer, upload_id: str, said: CompletionRequest | None = None
) -> UploadAnswer:
    """End an upload all of whose parts are here.

    Asking again gives the same answer. An upload that turns out to be another file than was
    announced, or no recording, is removed.
    """
    said = said or CompletionRequest()
    done = await course.complete(desk, caller, upload_id, sha256=said.sha256, etags=said.etags)
    return answer_of(done)


@router.delete(
    "/uploads/{upload_id}",
    operation_id="abort_upload",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=errors(UploadNotFound, UploadComplete, StorageUnavailable),
)
async def abort_upload(desk: DeskOf, caller: Writer, upload_id: str) -> Response:
    """Give an open upload up, and remove what came of it."""
    await course.abort(desk, caller, upload_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
