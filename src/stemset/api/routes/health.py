"""Whether the service lives, whether it can work, and what it counts."""

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text

from stemset import __version__
from stemset.api._exposition import exposition
from stemset.api.access import MetricsReader
from stemset.api.errors import errors
from stemset.api.service import ServiceOf
from stemset.errors import DatabaseError, DatabaseUnavailable
from stemset.metrics import CONTENT_TYPE

router = APIRouter(tags=["health"])

_ANSWERS_WITHIN_S = 2.0


class Alive(BaseModel):
    """The process lives."""

    status: str = "alive"


class Ready(BaseModel):
    """The service can take calls.

    Attributes:
        status: ``ready``; anything else is a refusal.
        version: Its version.
        database: That the database answers.
    """

    status: str = "ready"
    version: str = __version__
    database: str = "ok"


@router.head("/livez", include_in_schema=False)
@router.get("/livez", operation_id="live")
async def livez() -> Alive:
    """Say that the process lives; nothing else is asked."""
    return Alive()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", operation_id="ready", responses=errors(DatabaseUnavailable))
async def readyz(service: ServiceOf) -> Ready:
    """Say whether calls can be answered: whether the database does."""
    try:
        async with service.database.reading(_ANSWERS_WITHIN_S) as connection:
            await connection.execute(text("SELECT 1"))
    except DatabaseError as error:
        raise DatabaseUnavailable("The database does not answer as it should.") from error
    return Ready()


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(service: ServiceOf, _: MetricsReader) -> Response:
    """Give what the service counts, for Prometheus.

    Besides a caller that may look, whoever holds ``STEMSET_METRICS_TOKEN`` may ask.
    """
    return Response(await exposition(service), media_type=CONTENT_TYPE)
