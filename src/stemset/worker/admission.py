"""What this worker takes: who may order, and what an order may reach.

No name and no URL of an order becomes a path or a request target unchecked: keys must be such as
``storage.keys`` makes, a callback goes below the configured address, and links, whose servers
nobody but the orderer knows, are taken from signed orders only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stemset.errors import DeadlinePassed, InvalidOrder
from stemset.orders import signing
from stemset.orders.checks import HEALTH_PATH
from stemset.orders.messages import Links, Order
from stemset.storage.keys import attempt_folder, check_input_key, parse_attempt_folder
from stemset.worker._urls import below, check_below, check_link


@dataclass(frozen=True, slots=True)
class Admission:
    """The rules.

    Attributes:
        secrets: Secrets that calls may be signed with; none on loopback without signatures.
        has_keys: Whether the worker has keys to a bucket.
        backend_url: What callbacks must be below; None allows none.
    """

    secrets: Sequence[str] = ()
    has_keys: bool = False
    backend_url: str | None = None

    def check_signature(self, headers: Mapping[str, str], signed: bytes) -> None:
        """Check who calls.

        Args:
            headers: The call's headers.
            signed: What is signed: the body, or the subject of a call without one.

        Raises:
            SignatureInvalid: It is not signed, or with another secret.
            ClockSkewed: Its time is too far off.
        """
        if self.secrets:
            signing.verify(self.secrets, headers, signed)

    def check_order(self, order: Order) -> None:
        """Check what an order wants.

        Raises:
            InvalidKey: A key is not one that Stemset makes.
            InvalidOrder: It wants what it may not.
            DeadlinePassed: It is worth nothing any more.
        """
        _check_keys(order)
        self._check_access(order)
        if order.callback_url is not None:
            self._check_callback(order.callback_url)
        late_s = (datetime.now(UTC) - order.deadline).total_seconds()
        if late_s >= 0:
            raise DeadlinePassed(f"The order's deadline passed {late_s:.0f} s ago.")

    def health_url(self, backend_url: str) -> str:
        """Where a service is asked whether it lives, if orders may name it as who to call back.

        Raises:
            InvalidOrder: They may not.
        """
        url = below(backend_url, HEALTH_PATH)
        self._check_callback(url)
        return url

    def check_links(self, links: Links) -> None:
        """Check presigned URLs; an empty text stands where an upload was completed.

        Raises:
            InvalidOrder: They may not be used.
        """
        self._check_urls([url for url in links.urls if url])

    def _check_callback(self, url: str) -> None:
        if self.backend_url is None:
            raise InvalidOrder("This worker calls nobody back: BACKEND_URL is not set.")
        check_below(url, self.backend_url)

    def _check_access(self, order: Order) -> None:
        """Check how the order's objects can be reached."""
        urls = [*order.output.urls.values()]
        if order.input.url is not None:
            urls.append(order.input.url)
        elif urls:
            raise InvalidOrder("An order has a link to its input as well, or no links at all.")
        elif not self.has_keys:
            raise InvalidOrder(
                "This worker has no keys to a bucket, and the order holds no links. Set R2_* on "
                "the worker, or order with links (STEMSET_WORKER_LINKS=1 where the order is made)."
            )
        self._check_urls(urls)

    def _check_urls(self, urls: Sequence[str]) -> None:
        if urls and not self.secrets:
            raise InvalidOrder("Links are taken from signed orders only.")
        for url in urls:
            check_link(url)


def _check_keys(order: Order) -> None:
    check_input_key(order.input.key)
    own = attempt_folder(order.profile_name, order.output_name, order.job_id, order.attempt)
    if parse_attempt_folder(order.output.prefix) != own:
        raise InvalidOrder(
            f"output.prefix is {order.output.prefix!r}; the folder of attempt {order.attempt} at "
            f"job {order.job_id} is {own.prefix!r}."
        )
    for name in order.output.urls:
        own.key(name)
