"""Media by signed addresses: no token is needed, so a page can hand them to ``<audio>``."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from stemset.api.errors import errors
from stemset.api.media.links import check_link, media_secret
from stemset.api.media.names import content_type
from stemset.api.media.serving import serve
from stemset.api.service import ServiceOf
from stemset.errors import Forbidden, InvalidKey, LinkExpired, ObjectNotFound, StorageUnavailable
from stemset.storage.keys import parse_attempt_folder

router = APIRouter(prefix="/api/media", tags=["media"])

BYTES = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = {"content": dict.fromkeys(("application/*", "audio/*", "image/*"), BYTES)}
PARTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", **_CONTENT},
    206: {"description": "The range that was asked for (`Range: bytes=…`).", **_CONTENT},
    304: {"description": "The client has it already (`If-None-Match`)."},
    416: {"description": "The range begins beyond the end."},
}
"""Answers to a request for a file."""

FileName = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,159}$")]
_Name = Annotated[str, Path(max_length=160)]


@router.head("/{profile}/{output_name}/{attempt}/{file}", include_in_schema=False)
@router.get(
    "/{profile}/{output_name}/{attempt}/{file}",
    operation_id="get_media",
    response_class=Response,
    responses={
        **PARTS,
        **errors(Forbidden, LinkExpired, InvalidKey, ObjectNotFound, StorageUnavailable),
    },
)
async def get_media(
    service: ServiceOf,
    request: Request,
    *,
    profile: _Name,
    output_name: _Name,
    attempt: _Name,
    file: FileName,
    expires: Annotated[int, Query(ge=0, lt=1 << 40)],
    signature: Annotated[str, Query(pattern="^[0-9a-f]{64}$")],
) -> Response:
    """Play or download a file of an output by an address that the output came with."""
    folder = parse_attempt_folder(f"outputs/{profile}/{output_name}/{attempt}")
    key = folder.key(file)
    secret = await media_secret(service.database)
    check_link(secret, key, expires, signature, datetime.now(UTC))
    return await serve(service, request, key, {"content-type": content_type(file)})
