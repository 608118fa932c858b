"""The service's process: from its settings to its exit.

One process is the whole service by default: it starts the embedded database, answers calls, orders
the worker, and runs a computing process of its own for profiles that are not remote. A termination,
or Ctrl-C, is answered in this order: streams end, jobs under way are let go (the worker goes on
with them), calls get a moment, the database is stopped. Being killed instead costs nothing but
time.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import uvloop

from stemset.config import Settings
from stemset.errors import InvalidConfig, StemsetError
from stemset.http_rules import is_loopback
from stemset.jobs.migrate import migrate
from stemset.orders.address import check_address
from stemset.postgres.cluster import Cluster
from stemset.postgres.data_lock import hold, take_turn
from stemset.serving.foreign_logs import take_foreign_logs
from stemset.serving.listening import listen_on, url_of
from stemset.serving.process_age import process_age_s
from stemset.serving.stopping import told_to_stop
from stemset.telemetry import configure_logs, get_logger

if TYPE_CHECKING:
    from stemset.api._http_side import HttpSide
    from stemset.serving.lan.door import LanDoor

_log = get_logger("api")

DEFAULT_PORT = 8080
DEFAULT_LAN_PORT = 8443

_WATCH_EVERY_S = 0.5
_NO_TOKENS = (
    "The service on {host} can be called by other machines, so calls must carry a token, and "
    "there is none. Make one first: stemset token create NAME; or have people sign in by browser: "
    "STEMSET_OIDC_ISSUER"
)
_NO_MEMBERS = (
    "Nobody may sign in yet. Name admins in STEMSET_ADMINS, or add people: "
    "stemset member add anna@example.org"
)


@dataclass(frozen=True, slots=True)
class Lan:
    """The phones' door.

    Attributes:
        address: Address to listen on, None for this machine's own in its network.
        port: Port to listen on, 0 for any that is free.
    """

    address: str | None = None
    port: int = DEFAULT_LAN_PORT


@dataclass(frozen=True, slots=True)
class Serving:
    """How the service is run.

    Attributes:
        host: Address to listen on.
        port: Port to listen on, 0 for any that is free; the log names it.
        computes: Whether profiles that are not remote are worked off by this process.
        lan: The phones' door, None for none.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    computes: bool = True
    lan: Lan | None = None


def serve(settings: Settings, serving: Serving) -> int:
    """Run the service until it is told to stop. Returns the exit status.

    Args:
        settings: What was configured.
        serving: How it is run.

    Raises:
        DataFolderInUse: Another service runs on this data folder.
        AddressInUse: The port is taken.
        SecretMissing: Orders would travel unsigned.
        InvalidConfig: Other machines could call, and nobody has a token; or an address is none, or
            there is none for phones.
        OutputUnwritable: The data folder cannot be written to.
        StorageNotConfigured: Profiles are remote, and there is no bucket.
        DatabaseError: The database cannot be started or is a newer version's.
    """
    if settings.worker_url is not None:
        check_address(settings.worker_url, settings.worker_secrets)
    configure_logs()
    take_foreign_logs("api")
    _check_doors(settings, serving)
    with (
        _own_data(settings, serving),
        listen_on(serving.host, serving.port) as listener,
        _lan_door(settings, serving.lan) as lan,
    ):
        uvloop.run(_serve(settings, serving, listener, lan))
    return 0


def _check_doors(settings: Settings, serving: Serving) -> None:
    if serving.lan is not None and settings.sign_in is not None:
        raise InvalidConfig(
            "With STEMSET_OIDC_ISSUER people sign in, on phones too, at STEMSET_PUBLIC_URL: leave "
            "--lan out."
        )
    if serving.lan is not None and not is_loopback(serving.host):
        raise InvalidConfig(
            f"With --lan phones come in encrypted; --host {serving.host} would let others in "
            "without. Leave --host and STEMSET_HOST out; --lan-address says where phones come in."
        )


def _lan_door(settings: Settings, lan: Lan | None) -> "AbstractContextManager[LanDoor | None]":
    if lan is None:
        return nullcontext()
    # What makes certificates is loaded only where they are wanted.
    from stemset.serving.lan.door import opened_lan_door  # noqa: PLC0415

    return opened_lan_door(settings.data, lan.address, lan.port)


@contextmanager
def _own_data(settings: Settings, serving: Serving) -> Iterator[None]:
    """Hold the data folder, if the database is the one in there."""
    with ExitStack() as stack:
        if settings.database_url is None:
            with take_turn(settings.data):
                purpose = f"stemset serve on port {serving.port}"
                stack.enter_context(hold(settings.data, purpose))
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield


async def _serve(
    settings: Settings, serving: Serving, listener: socket.socket, lan: "LanDoor | None"
) -> None:
    cluster = Cluster(settings.data) if settings.database_url is None else None
    with told_to_stop(lambda name: _log.info("Service stopping", signal=name)) as told:
        # Libraries are read while the database comes up.
        importing = asyncio.create_task(asyncio.to_thread(import_module, "stemset.api._http_side"))
        conninfo = await asyncio.to_thread(_open_database, settings, cluster)
        http_side = await importing
        async with AsyncExitStack() as stack:
            if cluster is not None:
                stack.push_async_callback(asyncio.to_thread, cluster.stop)
            side: HttpSide = http_side.HttpSide(settings, serving, conninfo, lan)
            stack.push_async_callback(side.close)
            await _check_access(side, settings, serving)
            tasks = [
                asyncio.create_task(side.run(listener, alone=cluster is not None)),
                asyncio.create_task(told.wait()),
            ]
            if cluster is not None:
                tasks.append(asyncio.create_task(_watch(cluster)))
            _log_ready(listener, settings)
            if lan is not None:
                _invite_phones(side, lan, url_of(listener))
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await side.stop()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in done:
                task.result()  # what ended by itself ended by an error


def _open_database(settings: Settings, cluster: Cluster | None) -> str:
    """Have the database there, with the tables of this version. Returns its address."""
    if cluster is not None:
        cluster.start()
    conninfo = cluster.conninfo if cluster else str(settings.database_url)
    migrate(conninfo)
    return conninfo


async def _check_access(side: "HttpSide", settings: Settings, serving: Serving) -> None:
    """Refuse to be open to other machines, and say so if nobody could sign in."""
    if not await side.count_members() and settings.sign_in is not None:
        _log.warning(_NO_MEMBERS)
    if settings.sign_in or is_loopback(serving.host) or await side.has_tokens():
        return
    raise InvalidConfig(_NO_TOKENS.format(host=serving.host))


async def _watch(cluster: Cluster) -> None:
    """Start the database again whenever it dies."""
    while True:
        await asyncio.sleep(_WATCH_EVERY_S)
        if cluster.is_alive():
            continue
        _log.warning("The database has ended; starting it again")
        try:
            await asyncio.to_thread(cluster.start)
        except StemsetError as error:
            _log.error("The database does not start", code=error.code, detail=str(error))
        else:
            _log.info("The database is there again")


def _log_ready(listener: socket.socket, settings: Settings) -> None:
    url = url_of(listener)
    _log.info(
        f"Service ready on {url}",
        url=url,
        pid=os.getpid(),
        data=str(settings.data),
        database="embedded" if settings.database_url is None else "external",
        store=settings.store.bucket if settings.store else "local folder",
        worker=settings.worker_url,
        seconds=round(process_age_s(), 3),
    )


def _invite_phones(side: "HttpSide", lan: "LanDoor", page: str) -> None:
    """Log where phones find the service, and show a person who reads along a code for one."""
    _log.info(
        f"Phones find the service on {lan.url}",
        url=lan.url,
        names=sorted(lan.names),
        authority_sha256=lan.certified.fingerprint,
    )
    if side.pairing is None or not sys.stderr.isatty():  # a log must not hold a code
        return
    from stemset.serving.lan.terminal import invitation  # noqa: PLC0415 - few need a picture

    code = side.pairing.invite()
    sys.stderr.write(invitation(code.url, page=page, until=code.expires_at.astimezone()))
    sys.stderr.flush()
