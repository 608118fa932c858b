"""A worker in this process: it really carries orders out, or fails in the way that is asked for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stemset.errors import StemsetError
from stemset.orders.messages import Failure, LinkWanted, Order, Report, Status
from stemset.orders.phase import Phase
from stemset.orders.runner import MakeLinks
from stemset.pipeline.attempt import Bench, perform
from stemset.pipeline.networks import Networks
from stemset.storage.exchange import KeyedExchange
from stemset.storage.keys import parse_attempt_folder
from stemset.storage.store import Store

Before = Callable[[Order], Awaitable[None]]


@dataclass
class StandIn:
    """Carries orders out with the real pipeline.

    Attributes:
        store: The bucket.
        networks: Warm networks.
        scratch: A folder for the work.
        says: What the first orders end with instead of work: an error, or None for a lie, a
            report that all is complete.
        raises: What the runner raises for the next orders, after they were accepted.
        before: Awaited before an order is carried out.
        orders: What was ordered.
        links: What links were made.
        ended: How attempts ended: one that is ordered again is answered from here.
        closed: Whether the runner was let go of.
    """

    store: Store
    networks: Networks
    scratch: Path
    says: list[StemsetError | None] = field(default_factory=list)
    raises: list[StemsetError] = field(default_factory=list)
    before: Before | None = None
    orders: list[Order] = field(default_factory=list)
    links: list[Sequence[str]] = field(default_factory=list)
    ended: dict[tuple[str, int], Report] = field(default_factory=dict)
    closed: bool = False

    async def run(self, order: Order, make_links: MakeLinks | None = None) -> AsyncIterator[Report]:
        self.orders.append(order)
        if ended := self.ended.get((order.job_id, order.attempt)):
            yield ended
            return
        yield self._report(order, Status.ACCEPTED, Phase.LOADING)
        if make_links and order.uses_links:
            wanted = [LinkWanted(method="PUT", name="vocals.flac", bytes=9)]
            self.links.append(await make_links(wanted))
        if self.before:
            await self.before(order)
        if self.raises:
            raise self.raises.pop(0)
        yield self._report(order, Status.PROGRESS, Phase.SEPARATING)
        try:
            await self._work(order)
            last = self._report(order, Status.COMPLETE, Phase.UPLOADING)
        except StemsetError as error:
            last = self._report(order, Status.ERROR, error=Failure.of(error))
        self.ended[order.job_id, order.attempt] = last
        yield last

    async def _work(self, order: Order) -> None:
        if self.says:
            said = self.says.pop(0)
            if said is not None:
                raise said
            return
        await asyncio.to_thread(self.perform, order)

    def perform(self, order: Order) -> None:
        folder = parse_attempt_folder(order.output.prefix)
        exchange = KeyedExchange(self.store, order.input.key, folder)
        bench = Bench(self.networks, str(self.scratch))
        perform(order, exchange, bench, lambda *_: None)

    async def cancel(self, job_id: str) -> None:
        raise AssertionError(f"nobody cancels {job_id}")

    async def close(self) -> None:
        self.closed = True

    def _report(
        self,
        order: Order,
        status: Status,
        phase: Phase | None = None,
        error: Failure | None = None,
    ) -> Report:
        return Report(
            job_id=order.job_id,
            attempt=order.attempt,
            seq=len(Status) if status is Status.ERROR else list(Status).index(status),
            status=status,
            phase=phase,
            error=error,
        )
