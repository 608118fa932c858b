"""Pairing phones: the local user gets a code, a phone gives it back and gets a token, a cookie."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api.access import PHONE_COOKIE, Admin, caller_again, tokens_of
from stemset.api.auditing import call_of
from stemset.api.doors import Door, door_of
from stemset.api.errors import errors
from stemset.api.pairing import Pairing, PairingOf
from stemset.api.service import ServiceOf
from stemset.errors import (
    DatabaseUnavailable,
    InvalidConfig,
    PairingRefused,
    ServiceBusy,
    Unauthenticated,
)
from stemset.jobs import audit, tokens
from stemset.jobs.audit import Action
from stemset.jobs.caller import Caller, Scope
from stemset.jobs.tokens import Token
from stemset.serving.lan.qr import qr_rows
from stemset.telemetry import get_logger

router = APIRouter(prefix="/api/pairing", tags=["pairing"])

_log = get_logger("api")


class _Cookie(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["strict"]


PAIRED_FOR = timedelta(days=90)

_DEVICES = ("iPhone", "iPad", "Android")
_COOKIE: _Cookie = {"path": "/", "secure": True, "httponly": True, "samesite": "strict"}
_CERTIFICATE = {
    "application/x-x509-ca-cert": {"schema": {"type": "string", "format": "binary"}},
}


class PairingAnswer(BaseModel):
    """How the caller stands here."""

    by_phone: bool = Field(description="Whether the call came in by the phones' door (`--lan`).")
    caller: str | None = Field(description="Who calls; null for a phone that is not paired.")
    address: str | None = Field(
        description="The phones' door, told to the local user; null if the service has none."
    )


class InvitationAnswer(BaseModel):
    """What a phone is paired with."""

    address: str = Field(description="The phones' door.")
    url: str = Field(description="What the phone is to open; it holds a code that is good once.")
    qr_rows: list[str] = Field(
        description="The URL as a QR code, row by row, `1` for dark; without its margin."
    )
    expires_at: datetime


class Code(BaseModel):
    """A code.

    Attributes:
        code: What stood behind `#` in the address that the phone opened.
    """

    code: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Paired(BaseModel):
    """A phone that is paired from now on.

    Attributes:
        name: What its token is called in `stemset token list`.
        expires_at: When it must be paired again.
    """

    name: str
    expires_at: datetime


@router.get("", operation_id="get_pairing", responses=errors(DatabaseUnavailable))
async def get_pairing(request: Request, pairing: PairingOf) -> PairingAnswer:
    """Say how the caller stands here; whoever it is may ask."""
    door = door_of(request.scope)
    name = None
    with suppress(Unauthenticated):
        name = (await caller_again(request)).name
    address = pairing.address if pairing and door is Door.LOCAL else None
    return PairingAnswer(by_phone=door is Door.PHONES, caller=name, address=address)


@router.post("/codes", operation_id="invite_phone", responses=errors(PairingRefused))
async def invite_phone(request: Request, pairing: PairingOf, _caller: Admin) -> InvitationAnswer:
    """Make a code that pairs one phone, within ten minutes; on this machine only."""
    given = _given(pairing, request, Door.LOCAL)
    made = given.invite()
    return InvitationAnswer(
        address=given.address,
        url=made.url,
        qr_rows=qr_rows(made.url),
        expires_at=made.expires_at,
    )


@router.post(
    "",
    operation_id="pair_phone",
    responses=errors(PairingRefused, ServiceBusy, DatabaseUnavailable),
)
async def pair_phone(
    request: Request, service: ServiceOf, pairing: PairingOf, given: Code, response: Response
) -> Paired:
    """Pair the phone that sends a code: from now on its cookie holds a token with scope `write`.

    A code is good once. A phone that was paired before gives its old token up.
    """
    door = _given(pairing, request, Door.PHONES)
    by = request.client.host if request.client else ""
    expires_at = datetime.now(UTC) + PAIRED_FOR
    with door.used(given.code, by):
        former = await _former(request)
        async with service.database.transaction() as connection:
            await _revoke(connection, former)
            token, text = await _named(connection, _device(request), expires_at)
            actor = replace(call_of(request), name=token.name, id=token.id)
            await audit.note(connection, actor, Action.PHONE_PAIRED, token.name)
    response.set_cookie(PHONE_COOKIE, text, max_age=int(PAIRED_FOR.total_seconds()), **_COOKIE)
    _log.info(f"Phone paired: {token.name}", token_id=token.id, address=by)
    return Paired(name=token.name, expires_at=expires_at)


@router.delete(
    "",
    operation_id="unpair_phone",
    status_code=204,
    response_class=Response,
    responses=errors(DatabaseUnavailable),
)
async def unpair_phone(request: Request, service: ServiceOf, response: Response) -> None:
    """Forget the phone that asks for it: its token is revoked, its cookie removed."""
    former = await _former(request)
    async with service.database.transaction() as connection:
        await _revoke(connection, former)
        if former is not None:
            actor = replace(call_of(request), name=former.name, id=former.id)
            await audit.note(connection, actor, Action.PHONE_UNPAIRED, former.name)
    tokens_of(request).forget(request.cookies.get(PHONE_COOKIE, ""))
    response.delete_cookie(PHONE_COOKIE, **_COOKIE)


@router.get(
    "/authority.crt",
    operation_id="get_authority",
    response_class=Response,
    responses={200: {"content": _CERTIFICATE}, **errors(PairingRefused)},
)
async def get_authority(pairing: PairingOf) -> Response:
    """Get the certificate that a phone can install, to trust the phones' door without a warning."""
    if pairing is None:
        raise PairingRefused(_NO_DOOR)
    return Response(pairing.authority, media_type="application/x-x509-ca-cert")


_NO_DOOR = "This service has no door for phones. Start it with: stemset serve --lan"
_WRONG_DOOR = {
    Door.LOCAL: "A code is made on the computer that runs Stemset, at its own address only.",
    Door.PHONES: "A phone is paired at the address that its code says.",
}


def _given(pairing: Pairing | None, request: Request, door: Door) -> Pairing:
    if pairing is None:
        raise PairingRefused(_NO_DOOR)
    if door_of(request.scope) is not door:
        raise PairingRefused(_WRONG_DOOR[door])
    return pairing


async def _named(
    connection: AsyncConnection, device: str, expires_at: datetime
) -> tuple[Token, str]:
    """Make a token under the first name that is free."""
    date = datetime.now(UTC).date()
    number = 1
    while True:
        name = f"{device} {date}" + (f" ({number})" if number > 1 else "")
        with suppress(InvalidConfig):
            return await tokens.create(connection, name, Scope.WRITE, None, expires_at)
        number += 1


def _device(request: Request) -> str:
    """What kind of device it says it is."""
    said = request.headers.get("user-agent", "")
    return next((each for each in _DEVICES if each in said), "phone")


async def _former(request: Request) -> Caller | None:
    """Whose token the caller's cookie holds, if it is one."""
    text = request.cookies.get(PHONE_COOKIE)
    with suppress(Unauthenticated):
        return await tokens_of(request).caller(text) if text else None
    return None


async def _revoke(connection: AsyncConnection, phone: Caller | None) -> None:
    if phone is not None:
        await tokens.revoke(connection, phone.id)
