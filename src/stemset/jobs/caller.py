"""Who calls: the one local user, whoever holds a token, or a member who signed in."""

from dataclasses import dataclass
from enum import StrEnum

from stemset.errors import Forbidden

LOCAL = "local"


class Scope(StrEnum):
    """What a caller may do; each holds those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Role(StrEnum):
    """What a member may do: a ``member`` as scope ``write``, an ``admin`` everything."""

    MEMBER = "member"
    ADMIN = "admin"

    @property
    def scope(self) -> Scope:
        """The most that it may do."""
        return Scope.ADMIN if self is Role.ADMIN else Scope.WRITE


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        id: The token's or the member's id, or ``local``: the owner of what the call makes.
        name: What people call it; a member's e-mail address.
        scope: The most that it may do.
        profiles: Profiles that it is limited to, None for all.
    """

    id: str
    name: str
    scope: Scope
    profiles: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the caller may do what needs a scope."""
        order = list(Scope)
        return order.index(self.scope) >= order.index(scope)

    def check(self, scope: Scope) -> None:
        """Refuse what the caller may not do. Raises Forbidden."""
        if not self.may(scope):
            raise Forbidden(f"This needs the scope {scope}; {self.name!r} has less.")

    def check_profile(self, profile: str) -> None:
        """Refuse a profile that the caller is not allowed. Raises Forbidden."""
        if not self.sees(profile):
            raise Forbidden(f"{self.name!r} is not allowed the profile {profile!r}.")

    def sees(self, profile: str) -> bool:
        """Whether a profile is the caller's to see."""
        return self.profiles is None or profile in self.profiles


LOCAL_CALLER = Caller(LOCAL, "local user", Scope.ADMIN)
