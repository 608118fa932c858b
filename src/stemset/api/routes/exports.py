"""Exports: a mix of an output's stems as one file, as it was heard in the player."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from stemset.api.access import Reader
from stemset.api.errors import ErrorDetail, errors
from stemset.api.exports.desk import ExportsOf
from stemset.api.exports.making import ExportState, Making
from stemset.api.exports.shelf import Finished
from stemset.api.media.links import check_link, media_secret, signed_query
from stemset.api.media.names import attachment, content_type
from stemset.api.media.serving import serve
from stemset.api.routes.media import PARTS
from stemset.api.routes.outputs import OutputId
from stemset.api.service import Service, ServiceOf
from stemset.audio.formats import Depth, OutputFormat
from stemset.audio.mix import (
    MAX_GAIN_DB,
    MAX_SEMITONES,
    MAX_SPEED,
    MIN_GAIN_DB,
    MIN_SPEED,
    Mix,
    StemLevel,
)
from stemset.audio.mixdown_order import FileChoice
from stemset.errors import (
    ExportNotFound,
    Forbidden,
    InvalidMix,
    LinkExpired,
    ObjectNotFound,
    OutputInvalid,
    OutputNotFound,
    ServiceBusy,
    StorageUnavailable,
    UnsupportedFormat,
)
from stemset.jobs import outputs
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

router = APIRouter(prefix="/api", tags=["outputs"])

ExportId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]

_Gain = Annotated[float, Field(ge=MIN_GAIN_DB, le=MAX_GAIN_DB, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_MAX_STEMS = 64
_MAX_KBPS = 10_000


class ExportStem(BaseModel):
    """How one stem is heard.

    Attributes:
        gain_db: Its gain in dB: volume, and what levels it, together.
        pan: -1 is left, 1 is right, by the equal-power law of Web Audio's StereoPannerNode.
    """

    gain_db: _Gain = 0.0
    pan: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = 0.0


class ExportRequest(BaseModel):
    """A mix, and what file is made of it.

    Attributes:
        stems: The stems that are heard, by name; one that is left out is silent, as muted ones are.
        master_db: Gain of the sum in dB.
        start_s: Where it begins, in seconds of the recording.
        end_s: Where it ends; the recording's end by default.
        speed: 0.5 is half as fast; the pitch stays.
        semitones: How much higher; the speed stays.
        format: The file's format.
        bitrate: Of a lossy format, in kbit/s; a good one by default.
        depth: Of WAV and FLAC; the stems' own by default.
    """

    stems: Annotated[dict[str, ExportStem], Field(min_length=1, max_length=_MAX_STEMS)]
    master_db: _Gain = 0.0
    start_s: _Seconds = 0.0
    end_s: _Seconds | None = None
    speed: Annotated[float, Field(ge=MIN_SPEED, le=MAX_SPEED, allow_inf_nan=False)] = 1.0
    semitones: Annotated[float, Field(ge=-MAX_SEMITONES, le=MAX_SEMITONES, allow_inf_nan=False)] = (
        0.0
    )
    format: OutputFormat
    bitrate: Annotated[int, Field(ge=1, le=_MAX_KBPS)] | None = None
    depth: Depth | None = None

    def mix(self) -> Mix:
        """The mix. Raises InvalidMix."""
        return Mix(
            stems={name: StemLevel(each.gain_db, each.pan) for name, each in self.stems.items()},
            master_db=self.master_db,
            start_s=self.start_s,
            end_s=self.end_s,
            speed=self.speed,
            semitones=self.semitones,
        )

    def choice(self) -> FileChoice:
        """What file is made."""
        return FileChoice(self.format, self.bitrate, self.depth)


class ExportView(BaseModel):
    """An export.

    Attributes:
        export_id: Its id: the same mix of the same stems has the same one.
        output_id: The output.
        state: `queued`, `running`, `ready` or `error`. Ask again until it is one of the last two.
        progress: How much is done, 0 to 1.
        eta_s: Time left in seconds; null while it is not known.
        filename: What it is saved as.
        bytes: Length of the file; null until it is ready.
        duration_s: How long it plays; null until it is ready.
        lowered_db: How much lower the whole is than was asked for, so that it fits into its file;
            0 until it is ready.
        url: Where to get it, whole or in ranges, until `url_expires_at`; needs no token. Null until
            it is ready.
        url_expires_at: When the address ends; get the export again for a new one.
        expires_at: When the file is removed; the same request then makes it anew.
        error: Why it could not be made. The same request tries again.
    """

    export_id: str
    output_id: str
    state: ExportState
    progress: float
    eta_s: float | None
    filename: str
    bytes: int | None
    duration_s: float | None
    lowered_db: float
    url: str | None
    url_expires_at: datetime | None
    expires_at: datetime | None
    error: ErrorDetail | None


@router.post(
    "/outputs/{output_id}/exports",
    operation_id="create_export",
    responses=errors(
        OutputNotFound, Forbidden, InvalidMix, UnsupportedFormat, ServiceBusy, OutputInvalid
    ),
)
async def create_export(
    service: ServiceOf,
    exports: ExportsOf,
    caller: Reader,
    output_id: OutputId,
    wanted: ExportRequest,
) -> ExportView:
    """Export a mix of an output as one file.

    The same request again gives the same export, wherever it is. One in the making ends with the
    service, or when nobody asks for it for ten minutes.
    """
    mix = wanted.mix()
    async with service.database.reading() as connection:
        contents = await outputs.get(connection, output_id, caller.profiles)
    return await _view(service, await exports.ask(contents, mix, wanted.choice()))


@router.get(
    "/exports/{export_id}",
    operation_id="get_export",
    responses=errors(ExportNotFound, Forbidden),
)
async def get_export(
    service: ServiceOf, exports: ExportsOf, caller: Reader, export_id: ExportId
) -> ExportView:
    """Look an export up: how far it is, or where its file is."""
    return await _view(service, await exports.get(export_id, caller))


@router.delete(
    "/exports/{export_id}",
    operation_id="delete_export",
    status_code=204,
    response_class=Response,
    responses=errors(ExportNotFound, Forbidden),
)
async def delete_export(exports: ExportsOf, caller: Reader, export_id: ExportId) -> None:
    """Cancel an export that is in the making, or remove its file."""
    await exports.drop(export_id, caller)


@router.head("/exports/{export_id}/file", include_in_schema=False)
@router.get(
    "/exports/{export_id}/file",
    operation_id="download_export",
    response_class=Response,
    responses={
        **PARTS,
        **errors(Forbidden, LinkExpired, ExportNotFound, ObjectNotFound, StorageUnavailable),
    },
)
async def download_export(
    service: ServiceOf,
    exports: ExportsOf,
    request: Request,
    *,
    export_id: ExportId,
    expires: Annotated[int, Query(ge=0, lt=1 << 40)],
    signature: Annotated[str, Query(pattern="^[0-9a-f]{64}$")],
) -> Response:
    """Download an export by the address that it came with."""
    secret = await media_secret(service.database)
    check_link(secret, _signed_key(export_id), expires, signature, datetime.now(UTC))
    finished = await exports.finished(export_id)
    headers = {
        "content-type": content_type(finished.file),
        "content-disposition": attachment(finished.filename),
    }
    # The shelf is a store like any other: a folder.
    shelf = open_store(StoreSettings("folder", str(exports.shelf)))
    return await serve(replace(service, store=shelf), request, finished.key, headers)


async def _view(service: Service, found: Making | Finished) -> ExportView:
    if isinstance(found, Making):
        return _making_view(found)
    secret = await media_secret(service.database)
    query, url_expires_at = signed_query(secret, _signed_key(found.export_id), datetime.now(UTC))
    return ExportView(
        export_id=found.export_id,
        output_id=found.output_id,
        state=ExportState.READY,
        progress=1.0,
        eta_s=None,
        filename=found.filename,
        bytes=found.bytes,
        duration_s=found.duration_s,
        lowered_db=found.lowered_db,
        url=f"/api/exports/{found.export_id}/file?{query}",
        url_expires_at=url_expires_at,
        expires_at=found.expires_at,
        error=None,
    )


def _making_view(found: Making) -> ExportView:
    error = found.error
    return ExportView(
        export_id=found.wanted.export_id,
        output_id=found.wanted.output_id,
        state=found.state,
        progress=found.progress,
        eta_s=found.eta_s,
        filename=found.wanted.filename,
        bytes=None,
        duration_s=None,
        lowered_db=0.0,
        url=None,
        url_expires_at=None,
        expires_at=None,
        error=error and ErrorDetail(code=error.code, detail=str(error), retryable=error.retryable),
    )


def _signed_key(export_id: str) -> str:
    return f"exports/{export_id}"
