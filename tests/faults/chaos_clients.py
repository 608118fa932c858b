"""Clients of a service in trouble: they upload, ask again, cancel and retry, and keep count."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from service_deployment import FAR, HERE, ServiceDeployment
from short_takes import Takes

_SECONDS = (1.0, 6.0)
_MAX_OPEN = 6
_REPEATS = 4
_PAUSE_S = (0.05, 0.6)
_PATIENCE_S = 120.0


@dataclass
class Clients:
    """What clients did, and were promised.

    Attributes:
        service: Whom they call.
        takes: Their recordings.
        random: Decides what they do.
        accepted: Jobs that they were promised, by the request's file name.
        retried: Jobs that they were promised as retries, by the job that they retry.
        cancels: Jobs whose cancellation was confirmed.
        doubled: Requests that were promised two jobs.
        refused: Answers that no client of good will should get.
    """

    service: ServiceDeployment
    takes: Takes
    random: random.Random
    accepted: dict[str, str] = field(default_factory=dict)
    retried: dict[str, str] = field(default_factory=dict)
    cancels: set[str] = field(default_factory=set)
    doubled: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _profiles: dict[str, str] = field(default_factory=dict)
    _error: BaseException | None = None

    @property
    def is_running(self) -> bool:
        """Whether nothing went wrong with the clients themselves so far."""
        return self._error is None

    @property
    def promised(self) -> list[str]:
        """Every job that somebody was promised."""
        return [*self.accepted.values(), *self.retried.values()]

    def run_until(self, stopped: threading.Event) -> threading.Thread:
        """Begin in a thread of their own."""
        thread = threading.Thread(target=self._run, args=(stopped,), name="clients")
        thread.start()
        return thread

    def check(self) -> None:
        """Raise what went wrong with the clients themselves."""
        if self._error is not None:
            raise self._error

    def _run(self, stopped: threading.Event) -> None:
        try:
            while not stopped.is_set():
                act = self.random.choices(*zip(*self._acts(), strict=True))[0]
                act()
                stopped.wait(self.random.uniform(*_PAUSE_S))
        except BaseException as error:  # noqa: BLE001 - told by check
            self._error = error

    def _acts(self) -> list[tuple[Callable[[], None], int]]:
        return [(self._send, 6), (self._repeat, 2), (self._cancel, 1), (self._retry, 1)]

    def _send(self) -> None:
        """Upload a recording and have it separated, unless much is under way."""
        if len(self._open()) >= _MAX_OPEN:
            return
        name = f"take-{len(self._profiles)}.wav"
        profile = self.random.choice([HERE, FAR] if self.service.bucket else [HERE])
        wav = self.takes.wav(self.random.uniform(*_SECONDS))
        self.service.upload(wav, name, profile)
        self._profiles[name] = profile
        self._process(name)

    def _repeat(self) -> None:
        """Ask for the same once more, several times."""
        if self.accepted:
            name = self.random.choice(list(self.accepted))
            for _ in range(_REPEATS):
                self._process(name)

    def _process(self, name: str) -> None:
        body = {
            "profile_name": self._profiles[name],
            "filename": name,
            "output_name": name.removesuffix(".wav"),
        }
        answer = self._ask("/api/process", json=body)
        if not answer.is_success:
            self.refused.append(f"{name}: {answer.text}")
            return
        job_id = answer.json()["job_id"]
        known = self.accepted.setdefault(name, job_id)
        if job_id not in self._successors(known):
            self.doubled.append(f"{name}: {known} and {job_id}")

    def _cancel(self) -> None:
        if not (open_ones := self._open()):
            return
        job_id = self.random.choice(open_ones)
        answer = self._ask(f"/api/jobs/{job_id}/cancel")
        if answer.is_success and answer.json()["state"] == "cancelled":
            self.cancels.add(job_id)

    def _retry(self) -> None:
        if not (ended := [each for each in self.promised if each in self.cancels]):
            return
        job_id = self.random.choice(ended)
        for _ in range(2):
            answer = self._ask(f"/api/jobs/{job_id}/retry")
            if not answer.is_success:
                self.refused.append(f"retry of {job_id}: {answer.text}")
                continue
            new = answer.json()["job_id"]
            if self.retried.setdefault(job_id, new) != new:
                self.doubled.append(f"retry of {job_id}: {self.retried[job_id]} and {new}")

    def _successors(self, job_id: str) -> list[str]:
        """A job, its retry, the retry's retry, and so on."""
        chain = [job_id]
        while (following := self.retried.get(chain[-1])) is not None:
            chain.append(following)
        return chain

    def _open(self) -> list[str]:
        answer = self.service.ask("GET", "/api/jobs?limit=200", within_s=_PATIENCE_S)
        return [job["job_id"] for job in answer.json()["jobs"] if job["status"] not in _ENDED]

    def _ask(self, path: str, **more: object) -> httpx.Response:
        return self.service.ask("POST", path, within_s=_PATIENCE_S, **more)


_ENDED = {"complete", "error"}


def wait_until_ended(service: ServiceDeployment, within_s: float) -> None:
    """Wait until no job is open, or it took too long; whoever checks the books will see it."""
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        if not service.books.rows("SELECT id FROM jobs WHERE ended_at IS NULL"):
            return
        time.sleep(0.5)
