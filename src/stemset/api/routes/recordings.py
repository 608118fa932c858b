"""Recordings: listed with what was made of them, renamed, deleted."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Path, Query, Response
from pydantic import AfterValidator, BaseModel, StringConstraints

from stemset.api.access import Reader, Writer
from stemset.api.auditing import ActorOf
from stemset.api.errors import errors
from stemset.api.library_views import RecordingView, recording_views
from stemset.api.removing import remove_objects
from stemset.api.service import ServiceOf
from stemset.errors import Forbidden, InvalidCursor, RecordingNotFound
from stemset.jobs import audit, deletion, library
from stemset.jobs.audit import Action
from stemset.jobs.library import MAX_NAME_CHARACTERS, Direction, Sort, checked_name

router = APIRouter(prefix="/api/recordings", tags=["recordings"])

RecordingId = Annotated[
    str, Path(pattern="^[0-9a-f]{64}$", description="The SHA-256 of the recording's bytes.")
]
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS),
    AfterValidator(checked_name),
]


class RecordingPage(BaseModel):
    """Recordings.

    Attributes:
        recordings: Some of them.
        next_cursor: Gives the page after this one; null on the last.
        total: How many there are on all pages together; said on the first page only.
    """

    recordings: list[RecordingView]
    next_cursor: str | None
    total: int | None


class Renaming(BaseModel):
    """A recording's new name.

    Attributes:
        name: 1 to 200 characters, no line breaks.
    """

    name: Name


@router.get("", operation_id="list_recordings", responses=errors(InvalidCursor, Forbidden))
async def list_recordings(
    service: ServiceOf,
    caller: Reader,
    *,
    profile: Annotated[str | None, Query(max_length=64)] = None,
    search: Annotated[
        str | None, Query(max_length=200, description="in the name or the file's name")
    ] = None,
    sort: Sort = Sort.CREATED,
    direction: Direction = Direction.DESCENDING,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RecordingPage:
    """List recordings, page by page, each with its outputs and its newest job."""
    if profile is not None:
        caller.check_profile(profile)
    profiles = caller.profiles if profile is None else [profile]
    async with service.database.reading() as connection:
        total = None
        if cursor is None:
            total = await library.count(connection, profiles=profiles, search=search)
        entries, after = await library.page(
            connection,
            profiles=profiles,
            search=search,
            sort=sort,
            direction=direction,
            cursor=cursor,
            limit=limit,
        )
        views = await recording_views(connection, entries)
    return RecordingPage(recordings=views, next_cursor=after, total=total)


@router.get(
    "/{recording_id}", operation_id="get_recording", responses=errors(RecordingNotFound, Forbidden)
)
async def get_recording(
    service: ServiceOf, caller: Reader, recording_id: RecordingId
) -> RecordingView:
    """Look a recording up."""
    async with service.database.reading() as connection:
        entry = await library.get(connection, recording_id, caller.profiles)
        (view,) = await recording_views(connection, [entry])
    return view


@router.patch(
    "/{recording_id}",
    operation_id="rename_recording",
    responses=errors(RecordingNotFound, Forbidden),
)
async def rename_recording(
    service: ServiceOf, caller: Writer, recording_id: RecordingId, wanted: Renaming
) -> RecordingView:
    """Give a recording another name; its file and its outputs keep theirs."""
    async with service.database.transaction() as connection:
        await library.rename(connection, recording_id, wanted.name, caller.profiles)
        entry = await library.get(connection, recording_id, caller.profiles)
        (view,) = await recording_views(connection, [entry])
    return view


@router.delete(
    "/{recording_id}",
    operation_id="delete_recording",
    status_code=204,
    response_class=Response,
    responses=errors(RecordingNotFound, Forbidden),
)
async def delete_recording(
    service: ServiceOf,
    caller: Writer,
    actor: ActorOf,
    recording_id: RecordingId,
    after: BackgroundTasks,
) -> None:
    """Delete a recording and all that was made of it; its open jobs are cancelled."""
    async with service.database.transaction() as connection:
        entry = await library.get(connection, recording_id, caller.profiles)
        action, name = Action.RECORDING_DELETED, entry.recording.name
        await audit.note(connection, actor, action, name, recording_id=recording_id)
        await deletion.delete_recording(connection, recording_id, caller.profiles)
    after.add_task(remove_objects, service)
