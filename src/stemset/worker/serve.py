"""The worker's process: from its settings to its exit.

The computing process is started first and comes up beside the HTTP side. A termination, or Ctrl-C,
is answered in this order: nothing new is taken (503), the running attempt is interrupted and its
streams end with that report, callbacks get a moment, the process exits with 0. A second one exits
at once; the computing process ends by itself, as it does when this process is killed.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from stemset.catalogue.strategies import DEFAULT_STRATEGY
from stemset.config import Settings
from stemset.errors import InvalidConfig, InvalidOrder, SecretMissing, StorageNotConfigured
from stemset.http_rules import is_loopback
from stemset.orders.messages import ComputingSettings
from stemset.orders.signing import HOW_TO_MAKE_A_SECRET
from stemset.orders.supervisor import COMMAND, Supervisor
from stemset.serving.foreign_logs import take_foreign_logs
from stemset.serving.listening import listen_on, url_of
from stemset.serving.process_age import process_age_s
from stemset.serving.stopping import told_to_stop
from stemset.telemetry import configure_logs, get_logger
from stemset.worker._urls import check_base

if TYPE_CHECKING:
    from stemset.worker._http_side import HttpSide

_log = get_logger("worker")

DEFAULT_PORT = 8000

_COMPUTING_ENDS_WITHIN_S = 2.0
_CALLBACKS_WITHIN_S = 1.0
_READY_CHECK_S = 60.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """What only tests set differently.

    Attributes:
        command: The computing process.
        http: Arguments of ``_http_side.HttpSide``.
    """

    command: Sequence[str] = COMMAND
    http: Mapping[str, Any] = field(default_factory=dict[str, Any])


def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    scratch: str | None = None,
    tuning: Tuning | None = None,
) -> int:
    """Run the worker until it is told to stop.

    Args:
        settings: What was configured.
        host: Address to listen on.
        port: Port to listen on, 0 for any that is free; the log names it.
        scratch: Folder for recordings and stems in the making, None for the system's own.
        tuning: For tests.

    Returns:
        The exit status.

    Raises:
        SecretMissing: Other machines could call, and calls would not be signed.
        StorageNotConfigured: There are neither keys to a bucket nor signed orders with links.
        AddressInUse: The port is taken.
        InvalidConfig: ``host`` or ``BACKEND_URL`` is none.
    """
    _check(settings, host)
    configure_logs()
    take_foreign_logs("worker")
    with listen_on(host, port) as listener:
        asyncio.run(_serve(settings, listener, scratch, tuning or Tuning()))
    return 0


def _check(settings: Settings, host: str) -> None:
    if not settings.worker_secrets:
        if not is_loopback(host):
            raise SecretMissing(
                f"A worker on {host} can be called by other machines, so orders must be signed: "
                f"set STEMSET_WORKER_SECRET on both sides. {HOW_TO_MAKE_A_SECRET}"
            )
        if settings.store is None:
            raise StorageNotConfigured(
                "A worker needs keys to a bucket (R2_*), or a STEMSET_WORKER_SECRET so that it "
                f"can take signed orders with links. {HOW_TO_MAKE_A_SECRET}"
            )
    if settings.backend_url is not None:
        try:
            check_base(settings.backend_url)
        except InvalidOrder as error:
            raise InvalidConfig(f"{error} Got {settings.backend_url!r}.") from error


async def _serve(
    settings: Settings, listener: socket.socket, scratch: str | None, tuning: Tuning
) -> None:
    with told_to_stop(_log_stopping) as told:
        supervisor = _supervisor(settings, scratch, tuning)
        await supervisor.start()
        _log_listening(settings, url_of(listener))
        # In a thread, so that the computing process is fed meanwhile.
        http_side = await asyncio.to_thread(import_module, "stemset.worker._http_side")
        side: HttpSide = http_side.HttpSide(settings, supervisor, **tuning.http)
        serving = asyncio.create_task(side.server.serve([listener]))
        others = [
            asyncio.create_task(told.wait()),
            asyncio.create_task(_log_ready(supervisor)),
        ]
        await asyncio.wait({serving, others[0]}, return_when=asyncio.FIRST_COMPLETED)
        await _stop(side)
        await serving
        for task in others:
            task.cancel()


async def _stop(side: "HttpSide") -> None:
    await side.attempts.stop(_COMPUTING_ENDS_WITHIN_S)
    await side.callbacks.close(_CALLBACKS_WITHIN_S)
    side.server.should_exit = True


def _log_listening(settings: Settings, url: str) -> None:
    _log.info(
        f"Worker listening on {url}",
        url=url,
        signed=bool(settings.worker_secrets),
        bucket=settings.store.bucket if settings.store else None,
    )


def _log_stopping(number: str) -> None:
    _log.info("Worker stopping", signal=number)


def _supervisor(settings: Settings, scratch: str | None, tuning: Tuning) -> Supervisor:
    computing = ComputingSettings(
        store=settings.store.as_json() if settings.store else None,
        storage_retry_s=settings.storage_retry_s,
        scratch=scratch,
        max_duration_s=settings.max_duration_s,
        allow_licences=settings.allow_licences,
        load=(DEFAULT_STRATEGY,),  # weights that are not there are no error before an order
    )
    return Supervisor(computing, command=tuning.command, stall_s=settings.stall_s)


async def _log_ready(supervisor: Supervisor) -> None:
    while not await supervisor.wait_ready(_READY_CHECK_S):
        pass
    device = supervisor.ready.device if supervisor.ready else None
    _log.info("Worker ready", device=device, seconds=round(process_age_s(), 3))
