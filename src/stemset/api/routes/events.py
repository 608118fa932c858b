"""The stream of events."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request

from stemset.api._client_stream import ClientStream
from stemset.api._stream_response import StreamResponse
from stemset.api.abortable import abort_of
from stemset.api.access import Reader, reader_again
from stemset.api.errors import errors
from stemset.api.service import ServiceOf
from stemset.api.streams import Follower, StreamsOf
from stemset.errors import Forbidden, ServiceBusy

router = APIRouter(prefix="/api/events", tags=["events"])

_NUMBER = re.compile(r"[0-9]{1,18}")
_NEVER = -1
_EXAMPLE = """\
event: hello
data: {}
id: 57

event: job
data: {"job_id":"abc-123","state":"complete","progress":1.0}
id: 58

event: recording
data: {"id": "9f86d081884c7d65"}
id: 59

event: output
data: {"id": "0c8e5ad1f6c94a6f", "deleted": true}
id: 60

"""


@router.get(
    "",
    operation_id="follow_events",
    response_class=StreamResponse,
    status_code=200,
    responses={
        200: {
            "description": "Server-sent events, without end.",
            "content": {"text/event-stream": {"example": _EXAMPLE}},
        },
        **errors(Forbidden, ServiceBusy),
    },
)
async def follow_events(
    request: Request,
    service: ServiceOf,
    streams: StreamsOf,
    caller: Reader,
    *,
    last_event_id: Annotated[
        str | None, Header(description="The last number that the client knows.")
    ] = None,
    query_id: Annotated[
        str | None,
        Query(alias="last_event_id", description="The same, for who cannot send the header."),
    ] = None,
) -> StreamResponse:
    """Follow all changes that the caller may see, as they are made: one stream for everything.

    `job` holds the job as `GET /api/jobs/{job_id}` gives it; `recording` and `output` hold their
    `id`, and `deleted: true` if it is gone. Each has a number as its `id`; a job that merely got
    further has none, and is told twice a second at most. What changes faster than the client reads
    is told once, as it stands at last.

    A new stream begins with `hello`: whoever lists jobs and recordings after it misses nothing. A
    client that comes back with the last number it knows gets all that changed since; if that is not
    known any more, `reset`: list all again. A comment comes at least every 15 s.
    """
    streams.check_open()
    # The header is newer: a browser that comes back has the query of its first call.
    known = last_event_id or query_id

    def begin(follower: Follower) -> ClientStream:
        return ClientStream(
            service.database,
            streams,
            follower,
            after=_parsed(known) if known else None,
            still=lambda: reader_again(request),
        )

    return StreamResponse(streams, caller, begin, abort_of(request.scope))


def _parsed(known: str) -> int:
    """A number; one that never was for what is none, which leads to ``reset``."""
    return int(known) if _NUMBER.fullmatch(known) else _NEVER
