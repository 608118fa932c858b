"""What the worker says of itself to whoever may order: one question at a time.

A question reaches no further than an order: the service that is called is one that an order could
name as who to call back, the path is fixed, and of its answer nothing but its kind is told.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol, TypeVar

from stemset.errors import StemsetError, WorkerBusy
from stemset.orders.checks import Called, Check, Checked, Inspected
from stemset.orders.messages import Failure
from stemset.telemetry import get_logger
from stemset.worker.admission import Admission
from stemset.worker.callbacks import Callbacks

_log = get_logger("worker")

Seen = TypeVar("Seen")

INSPECT_WITHIN_S = 40.0
"""A connection on which nothing moves for longer is closed by platforms, and by who asks."""


class Inspectable(Protocol):
    """What is needed of ``orders.supervisor.Supervisor``."""

    async def inspect(self, models: Sequence[str], within_s: float) -> Inspected:
        """Have the computing process look at what it works with; raises a ``StemsetError``."""
        ...


class Checkup:
    """Answers questions."""

    def __init__(
        self,
        admission: Admission,
        computing: Inspectable,
        callbacks: Callbacks,
        *,
        within_s: float = INSPECT_WITHIN_S,
    ) -> None:
        """Begin with none.

        Args:
            admission: What an order may reach.
            computing: Who carries orders out.
            callbacks: Who calls back.
            within_s: How long the computing process may take to answer.
        """
        self._admission = admission
        self._computing = computing
        self._callbacks = callbacks
        self._within_s = within_s
        self._is_asked = False

    async def answer(self, check: Check) -> Checked:
        """Look at what is asked.

        Raises:
            WorkerBusy: Another question is being answered: nobody has a service called at will.
        """
        if self._is_asked:
            raise WorkerBusy("The worker is being checked already.")
        self._is_asked = True
        try:
            inspected, called = await asyncio.gather(self._inspect(check), self._call(check))
        finally:
            self._is_asked = False
        _log.info("Worker checked", called=called.end if isinstance(called, Called) else None)
        return Checked(
            inspected=_unless_failed(inspected),
            inspection_error=_if_failed(inspected),
            called=_unless_failed(called),
            callback_error=_if_failed(called),
        )

    async def _inspect(self, check: Check) -> Inspected | Failure:
        try:
            return await self._computing.inspect(check.models, self._within_s)
        except StemsetError as error:
            return Failure.of(error)

    async def _call(self, check: Check) -> Called | Failure | None:
        if check.backend_url is None:
            return None
        try:
            url = self._admission.health_url(check.backend_url)
        except StemsetError as error:
            return Failure.of(error)
        return await self._callbacks.reach(url)


def _unless_failed(seen: Seen | Failure) -> Seen | None:
    return None if isinstance(seen, Failure) else seen


def _if_failed(seen: object) -> Failure | None:
    return seen if isinstance(seen, Failure) else None
