"""The port: whoever carries an order out.

``LocalRunner`` (``local``) has a computing process of its own, ``RemoteRunner`` (``remote``) sends
the order over HTTP. A caller sees no difference but ``waking``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from stemset.orders.messages import LinkWanted, Order, Report

MakeLinks = Callable[[Sequence[LinkWanted]], Awaitable[Sequence[str]]]
"""Makes presigned URLs, one for each link wanted, in order."""


class Runner(Protocol):
    """Carries out one order at a time."""

    def run(self, order: Order, make_links: MakeLinks | None = None) -> AsyncIterator[Report]:
        """Carry an order out, or join it if it is being carried out.

        Args:
            order: What to do.
            make_links: Answers what the attempt needs if the order holds links.

        Yields:
            Reports; the last one, and only it, has ``is_last``.

        Raises:
            RemoteError: No worker could be made to take the order.
            OrderError: The order was refused.
        """
        ...

    async def cancel(self, job_id: str) -> None:
        """End a job's running attempt; it reports ``error`` with ``cancelled``. Repeatable."""
        ...

    async def close(self) -> None:
        """Let go of the process or connections."""
        ...
