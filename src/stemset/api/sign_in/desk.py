"""Where people sign in: begins a sign-in, ends it with a session, or says why not."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from stemset.api._rates import Rates
from stemset.api.sign_in import flow
from stemset.api.sign_in.provider import Person, Provider
from stemset.config import SignInSettings
from stemset.errors import EmailUnverified, MemberNotFound, NotAMember, StemsetError
from stemset.jobs import audit, members, secrets, sessions
from stemset.jobs.audit import Action, Actor
from stemset.jobs.database import Database
from stemset.jobs.members import Member

_SECRET = "sign-in"  # noqa: S105 - what it is called
_UNKNOWN = Actor("unknown")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that has begun.

    Attributes:
        url: Where to send the browser.
        cookie: What its cookie is to hold meanwhile.
    """

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Done:
    """A sign-in that has ended well.

    Attributes:
        session: The text of the session.
        next: The path to go to.
    """

    session: str
    next: str


class SignIn:
    """Signing in with one provider. Used within one event loop."""

    def __init__(
        self,
        settings: SignInSettings,
        database: Database,
        per_s: int,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        """Know the provider; nobody is asked yet.

        Args:
            settings: The provider.
            database: The ledger's.
            per_s: Sign-ins a second that may begin or end from one address.
            clock_s: The wall clock.
        """
        self.settings = settings
        self.rates = Rates(per_s)
        self._provider = Provider(settings)
        self._database = database
        self._clock_s = clock_s
        self._secret: bytes | None = None

    async def begin(self, wanted: str, *, choose: bool) -> Begun:
        """Begin a sign-in.

        Args:
            wanted: Where the person wants to go when it is done.
            choose: Whether the provider is to ask which account.

        Raises:
            ProviderUnavailable: The provider does not answer.
            SignInFailed: What it says of itself cannot be used.
            DatabaseUnavailable: The database does not answer.
        """
        begun, cookie = flow.begin(await self._shared_secret(), wanted, self._clock_s())
        return Begun(await self._provider.address(begun, choose=choose), cookie)

    async def finish(
        self, cookie: str | None, answer: Mapping[str, str], call: Actor = _UNKNOWN
    ) -> Done:
        """End a sign-in with a session.

        Args:
            cookie: What the browser's cookie holds.
            answer: What it brought back from the provider.
            call: The call that it did so by; the person's name is filled in.

        Raises:
            SignInCancelled: The person did not go through with it.
            SignInExpired: It is none that goes on in this browser.
            SignInFailed: What the provider says cannot be believed.
            EmailUnverified: The provider does not vouch for the address.
            NotAMember: The address is not on the list.
            ProviderUnavailable: The provider does not answer.
            DatabaseUnavailable: The database does not answer.
        """
        secret = await self._shared_secret()
        resumed = flow.resume(secret, cookie, answer.get("state"), self._clock_s())
        person = await self._provider.person(resumed, answer)
        actor = replace(call, name=person.email or person.subject)
        async with self._database.transaction() as connection:
            try:
                member = await _member(connection, person)
            except StemsetError as error:
                refusal = error
                await audit.note(connection, actor, Action.SIGN_IN_REFUSED, code=error.code)
            else:
                session = await sessions.begin(connection, member, resumed.id)
                await members.note_sign_in(connection, member, person.subject, person.name)
                await audit.note(connection, replace(actor, id=member.id), Action.SIGNED_IN)
                return Done(session, resumed.next)
        raise refusal

    async def _shared_secret(self) -> bytes:
        if self._secret is None:
            async with self._database.transaction() as connection:
                self._secret = await secrets.get(connection, _SECRET)
        return self._secret


async def _member(connection: AsyncConnection, person: Person) -> Member:
    """Who a person is here. Raises EmailUnverified, NotAMember."""
    if person.email is None:
        raise EmailUnverified("The provider tells no e-mail address of yours.")
    if not person.is_verified:
        raise EmailUnverified(f"The provider does not vouch for your address {person.email!r}.")
    try:
        member = await members.find(connection, person.email)
    except MemberNotFound as error:
        raise NotAMember(f"{person.email!r} may not sign in here.") from error
    if _is_another(member.subject, person.subject):
        raise NotAMember(
            f"Another account with the address {person.email!r} signed in here before. Whoever "
            "runs Stemset can let this one in by removing and adding the address."
        )
    return member


def _is_another(known: str | None, subject: str) -> bool:
    """Whether an address has passed to another account of one provider: to another person."""
    if known is None or known == subject:
        return False
    return known.partition(" ")[0] == subject.partition(" ")[0]


async def sign_in_of(request: Request) -> SignIn | None:
    """Where people sign in to the application that a request came to; None for nowhere."""
    return cast("SignIn | None", request.app.state.sign_in)


SignInOf = Annotated[SignIn | None, Depends(sign_in_of)]
