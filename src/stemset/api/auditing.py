"""Who does something, as the audit log has it."""

from typing import Annotated

from fastapi import Depends, Request

from stemset.api.access import CallerOf
from stemset.jobs.audit import Actor
from stemset.telemetry import bound


def call_of(request: Request) -> Actor:
    """The call that a request is, by somebody unknown."""
    address = request.client.host if request.client else None
    return Actor("unknown", None, address, bound("request_id"))


async def _actor(request: Request, caller: CallerOf) -> Actor:
    call = call_of(request)
    return Actor(caller.name, caller.id, call.address, call.request_id)


ActorOf = Annotated[Actor, Depends(_actor)]
"""Who calls, and by which call."""
