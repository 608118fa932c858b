"""What ``stemset doctor`` checks of a worker, from here and, asked by a signed call, over there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from stemset import __version__
from stemset.catalogue.strategies import DEFAULT_STRATEGY
from stemset.cli.disk_space import free_in_words
from stemset.config import Settings
from stemset.errors import (
    BackendUnreachable,
    RemoteUnavailable,
    StemsetError,
    UnsupportedVersion,
    error_from,
)
from stemset.orders.address import WorkerAddress, check_address

if TYPE_CHECKING:
    from stemset.orders.checks import Called, Checked, Inspected
    from stemset.orders.messages import Failure
    from stemset.orders.remote import RemoteRunner, WorkerFacts

Answer = TypeVar("Answer")

_NOT_TOLD = "not known: a worker of this version does not tell"
_BUSY = "not looked at: the worker is at a job"
# By ``orders.checks.CallEnd``.
_WHY_NOT = {
    "something_else": "something answers there, with status {status}, and it is not the service",
    "no_such_host": "no such host",
    "refused": "the connection is refused",
    "no_tls": "no TLS connection that can be trusted",
    "timed_out": "no answer in time",
    "broken": "the connection broke",
}


class WorkerChecks:
    """The checks of a worker; each of the first two says whether the next can be made.

    Attributes:
        is_away: Whether no worker was found at the address.
        takes_calls: Whether it takes what is signed here.
    """

    def __init__(self, settings: Settings) -> None:
        """Check nothing yet."""
        self.is_away = False
        self.takes_calls = False
        self._settings = settings
        self._told: Checked | StemsetError | None = None

    @property
    def address(self) -> WorkerAddress:
        """Where it is. Raises RemoteUnavailable, InvalidConfig, SecretMissing."""
        if self._settings.worker_url is None:
            raise RemoteUnavailable(
                "No worker is configured: set gpu_worker_url in the configuration, or "
                "GPU_WORKER_URL."
            )
        return check_address(self._settings.worker_url, self._settings.worker_secrets)

    def wake(self) -> str:
        """Wake the worker, and compare its version with this one."""
        self.is_away = True
        url = self.address.url
        begun = time.perf_counter()

        async def wake(runner: "RemoteRunner") -> "WorkerFacts":
            return await runner.wake()

        facts = self._call(wake)
        self.is_away = False
        if facts.version != __version__:
            raise UnsupportedVersion(
                f"The worker at {url} runs Stemset {facts.version or 'of no known version'}, "
                f"and this is {__version__}. Deploy the image of this version, or install that one."
            )
        spent_s = time.perf_counter() - begun
        return f"{url} was ready after {spent_s:.1f} s, and computes on {facts.device}"

    def sign(self) -> str:
        """Cancel a job that is none: a worker that does not know it has checked the signature."""
        job_id = f"doctor-{uuid4().hex}"
        self._call(lambda runner: runner.cancel(job_id))
        self.takes_calls = True
        if not self.address.secrets:
            return "none is needed on this machine"
        return "a signed call was accepted"

    def disk(self) -> str:
        """What is free where the worker keeps what is in the making."""

        def say(inspected: "Inspected") -> str:
            _raise(inspected.scratch_error)
            return free_in_words(inspected.scratch_free_bytes or 0, "the worker's scratch folder")

        return self._inspected(say)

    def models(self) -> str:
        """Whether the worker has what the profiles' strategies need."""

        def say(inspected: "Inspected") -> str:
            _raise(inspected.models_error)
            return f"{', '.join(_models(self._settings))} are there, whole, and allowed"

        return self._inspected(say)

    def computing(self) -> str:
        """Whether the worker's networks compute on the GPU that is there, and how fast."""

        def say(inspected: "Inspected") -> str:
            _raise(inspected.computing_error)
            if inspected.times_realtime is None:
                return "not measured: a model is missing"
            return (
                f"{inspected.measured} on {inspected.device}, {inspected.times_realtime:.0f} times "
                "as fast as the music plays"
            )

        return self._inspected(say)

    def callback(self) -> str:
        """Whether the worker reaches the service that it is to call back."""
        told = self._ask()
        _raise(told.callback_error)
        if told.called is None:
            return _NOT_TOLD
        url = self._settings.backend_url
        if told.called.end != "alive":
            raise BackendUnreachable(
                f"The worker does not reach {url} (BACKEND_URL), where it is to call back: "
                f"{_why_not(told.called)}. It must be an address that the worker's machine can "
                "call, and `stemset serve` must be running there."
            )
        return f"the worker reaches {url}"

    def _inspected(self, say: "Callable[[Inspected], str]") -> str:
        told = self._ask()
        if told.inspected is not None:
            return say(told.inspected)
        if told.inspection_error is None:
            return _NOT_TOLD
        if told.inspection_error.code == "worker_busy":
            return _BUSY
        raise _there(told.inspection_error)

    def _ask(self) -> "Checked":
        """Ask the worker about itself, once for all checks."""
        if self._told is None:
            try:
                self._told = self._ask_once()
            except StemsetError as error:
                self._told = error
        if isinstance(self._told, StemsetError):
            raise self._told
        return self._told

    def _ask_once(self) -> "Checked":
        from stemset.orders.checks import Check, Checked  # noqa: PLC0415 - loads pydantic

        models = tuple(_models(self._settings))
        question = Check(kind="check", models=models, backend_url=self._settings.backend_url)
        return self._call(lambda runner: runner.check(question)) or Checked()

    def _call(self, call: "Callable[[RemoteRunner], Awaitable[Answer]]") -> Answer:
        from stemset.orders.remote import RemoteRunner  # noqa: PLC0415 - loads the HTTP client

        address = self.address

        async def run() -> Answer:
            patience_s = self._settings.worker_patience_s
            runner = RemoteRunner(address.url, address.secrets, patience_s=patience_s)
            try:
                return await call(runner)
            finally:
                await runner.close()

        return asyncio.run(run())


def _models(settings: Settings) -> list[str]:
    """What remote profiles need; the default strategy's models if there is none."""
    strategies = [each.strategy for each in settings.profiles.values() if each.remote]
    needed = [settings.strategy(name).models() for name in strategies or [DEFAULT_STRATEGY]]
    return list(dict.fromkeys(model for models in needed for model in models))


def _why_not(called: "Called") -> str:
    return _WHY_NOT.get(called.end, called.end).format(status=called.status)


def _raise(failure: "Failure | None") -> None:
    if failure is not None:
        raise _there(failure)


def _there(failure: "Failure") -> StemsetError:
    return error_from(failure.code, f"On the worker: {failure.detail}")
