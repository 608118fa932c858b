"""Callbacks of workers: hints, signed, that change nothing which the manifest does not prove."""

from typing import Any

from fastapi import APIRouter, Request, Response

from stemset.api import metrics
from stemset.api.doors import Door, door_of
from stemset.api.errors import errors
from stemset.api.routes.jobs import JobId
from stemset.api.service import ServiceOf
from stemset.errors import (
    ClockSkewed,
    DatabaseUnavailable,
    InvalidOrder,
    JobNotFound,
    SignatureInvalid,
    StorageUnavailable,
    UnsupportedVersion,
)
from stemset.jobs.hints import take_hint
from stemset.orders.messages import Status, parse_report
from stemset.orders.signing import verify
from stemset.telemetry import bind

router = APIRouter(prefix="/api/jobs", tags=["worker"])

_REPORT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A report, as the worker streams them, signed after Standard Webhooks.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["job_id", "attempt", "seq", "status"],
                    "properties": {
                        "job_id": {"type": "string", "description": "That of the path."},
                        "attempt": {"type": "integer"},
                        "seq": {"type": "integer"},
                        "status": {"enum": [each.value for each in Status]},
                    },
                }
            }
        },
    }
}


@router.post(
    "/{job_id}/callback",
    operation_id="call_back",
    status_code=204,
    response_class=Response,
    openapi_extra=_REPORT,
    responses=errors(
        SignatureInvalid,
        ClockSkewed,
        InvalidOrder,
        UnsupportedVersion,
        JobNotFound,
        DatabaseUnavailable,
        StorageUnavailable,
    ),
)
async def call_back(service: ServiceOf, job_id: JobId, request: Request) -> Response:
    """Take a worker's last report on an attempt.

    Where no secret is set, on loopback only, reports are not signed. Whatever a report says is
    answered with 204 and believed only as far as the stems in the store prove it: repeated, late
    and reordered ones change nothing.
    """
    body = await request.body()
    secrets = service.settings.worker_secrets
    if secrets or door_of(request.scope) is not Door.LOCAL:
        verify(secrets, request.headers, body)
    report = parse_report(body)
    if report.job_id != job_id:
        raise InvalidOrder(f"The report is of job {report.job_id}, not {job_id}.")
    metrics.CALLBACKS.labels(report.status).inc()
    with bind(job_id=job_id, attempt=report.attempt):
        await take_hint(service.database, service.store, service.threads, report)
    return Response(status_code=204)
