"""The computing process: ``python -m stemset.pipeline``.

Reads its settings in a first line on standard input, then orders, links and questions about what it
works with, a JSON line each. Writes on standard output that it is ready, then the reports of each
order. Keeps its networks warm between orders, ends at the end of its input or as soon as nobody
reads its output, and can be killed at any moment.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

from stemset import __version__
from stemset.audio.decode import DecodeLimits
from stemset.catalogue.strategies import find_strategy
from stemset.errors import InvalidOrder, StemsetError
from stemset.lifeline import STANDARD_OUTPUT, end_with_reader
from stemset.orders.checks import Inspect
from stemset.orders.messages import ComputingSettings, Order, Ready, parse_settings
from stemset.pipeline._conversation import Inbox, Lines, Voice
from stemset.pipeline.attempt import Bench, perform
from stemset.pipeline.inspection import inspect
from stemset.pipeline.networks import Networks
from stemset.separation.signals import plan_signals
from stemset.storage.exchange import Exchange, KeyedExchange, Wanted
from stemset.storage.keys import parse_attempt_folder
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store
from stemset.telemetry import bind, configure_logs, get_logger

_log = get_logger("pipeline")


def main() -> int:
    """Carry out orders until there are no more; returns the exit status."""
    out = Lines(_take_standard_output())
    configure_logs()
    settings = parse_settings(sys.stdin.buffer.readline())
    bench = Bench(
        networks=Networks(),
        scratch=settings.scratch,
        limits=DecodeLimits(max_duration_s=settings.max_duration_s),
        allow_licences=settings.allow_licences,
    )
    device = _load(bench.networks, settings.load)
    reach = _Reach(settings)
    out.say(Ready(device=device, engine=__version__))
    inbox = Inbox(sys.stdin.buffer)
    for wanted in inbox.work():
        if isinstance(wanted, Inspect):
            out.say(inspect(wanted, bench))
            continue
        voice = Voice(wanted, out, bench.networks.device)
        with bind(job_id=wanted.job_id, attempt=wanted.attempt, request_id=wanted.request_id):
            _carry_out(wanted, bench, reach, voice, inbox)
    return 0


def _load(networks: Networks, strategies: Sequence[str]) -> str:
    """Load networks before they are needed; returns what they compute on.

    A model that is not installed is met again, and named, by the order that needs it.
    """
    for name in strategies:
        with suppress(StemsetError):
            networks.load(plan_signals(find_strategy(name)))
    for trouble in networks.gpu_troubles:
        _log.warning(trouble)
    return networks.device


def _carry_out(order: Order, bench: Bench, reach: "_Reach", voice: Voice, inbox: Inbox) -> None:
    try:
        done = perform(order, reach.exchange(order, voice, inbox), bench, voice.tell)
    except StemsetError as error:
        voice.fail(error)
    else:
        voice.complete(done)


class _Reach:
    """How objects are reached: with keys of this process's own, or with links from the orderer."""

    def __init__(self, settings: ComputingSettings) -> None:
        store = settings.store
        self._store = None if store is None else open_store(StoreSettings(**store))
        self._retry_s = settings.storage_retry_s

    def exchange(self, order: Order, voice: Voice, inbox: Inbox) -> Exchange:
        """What an order lets this process reach. Raises InvalidOrder, InvalidKey."""
        if order.input.url is not None:
            from stemset.storage._linked import LinkedExchange  # noqa: PLC0415 - an HTTP client

            def ask(wanted: Sequence[Wanted]) -> Sequence[str]:
                return inbox.links(voice.want(wanted))

            return LinkedExchange(order.input.url, order.output.urls, ask, retry_s=self._retry_s)
        if self._store is None:
            raise InvalidOrder("The order holds no links, and this process has no keys.")
        folder = parse_attempt_folder(order.output.prefix)
        return KeyedExchange(self._store, order.input.key, folder)


def _take_standard_output() -> BinaryIO:
    """Keep standard output for messages alone: what a library prints goes to standard error."""
    descriptor = os.dup(STANDARD_OUTPUT)
    os.dup2(sys.stderr.fileno(), STANDARD_OUTPUT)
    end_with_reader(descriptor)
    return os.fdopen(descriptor, "wb")


if __name__ == "__main__":
    sys.exit(main())
