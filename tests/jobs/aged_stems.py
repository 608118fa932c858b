"""Recordings and stems of long ago, for tests of what goes because of its age."""

from datetime import timedelta

from sqlalchemy import update
from standing_stems import STEMS, World, completed, found, note_upload, put_input, request

from stemset.jobs import tables
from stemset.jobs.job import Job
from stemset.jobs.recordings import Found

DAY = timedelta(days=1)
OUTPUT_BYTES = sum(len(data) + len(b"picture") for data in STEMS.values())

_MOMENTS = {
    "recordings": ("created_at",),
    "uploads": ("created_at", "touched_at", "completed_at"),
    "jobs": ("created_at", "started_at", "ended_at"),
    "outputs": ("created_at", "completed_at"),
    "doomed": ("created_at",),
}


async def made(world: World, number: int = 1, profile: str = "h4n") -> tuple[Found, Job, str]:
    """A recording that was uploaded and separated. Returns it, its job and its output's id."""
    recording = found(number)
    put_input(world.store, recording)
    await note_upload(world, recording, profile)
    return recording, *await completed(world, request(recording, profile), recording)


async def age(world: World, by: timedelta = 31 * DAY) -> None:
    """Let all that has happened have happened so long ago."""
    async with world.database.transaction() as connection:
        for name, moments in _MOMENTS.items():
            table = tables.metadata.tables[name]
            older = {each: table.c[each] - by for each in moments}
            await connection.execute(update(table).values(**older))
