"""People who use a service for hours: each sends recordings, waits, listens, exports and removes.

They are patient, and know that others (or the recording's age) may have removed what they look at.
"""

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from service_deployment import ENDED, FAR, HERE, ServiceDeployment
from short_takes import Takes

_SECONDS = (1.0, 6.0)
_PATIENCE_S = 180.0
_POLL_S = 0.25
_LOOKS_S = (1.0, 12.0)
_STATUS_EVERY_S = 0.1


@dataclass
class Diary:
    """What people did, and were promised; several write.

    Attributes:
        did: How often what was done.
        accepted: Jobs that were promised, with how each ended as its owner saw it.
        broken: What should not have been answered.
    """

    did: Counter[str] = field(default_factory=Counter)
    accepted: dict[str, str | None] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str) -> None:
        """Count something."""
        with self._lock:
            self.did[what] += 1

    @property
    def newest(self) -> str | None:
        """The job that was promised last."""
        with self._lock:
            return next(reversed(self.accepted), None)


@dataclass
class Somebody:
    """One that does something again and again, in a thread.

    Attributes:
        name: Who.
        service: Whom they call.
        diary: Where it is written down.
        random: Decides what they do.
    """

    name: str
    service: ServiceDeployment
    diary: Diary
    random: random.Random

    def run_until(self, stopped: threading.Event) -> threading.Thread:
        """Begin in a thread of their own."""
        thread = threading.Thread(target=self._run, args=(stopped,), name=self.name)
        thread.start()
        return thread

    def act(self, stopped: threading.Event) -> None:
        """Do it once."""
        raise NotImplementedError

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                self.act(stopped)
            except Exception as error:  # noqa: BLE001 - told at the end; the others go on
                self.diary.broken.append(f"{self.name}: {error!r}")
                stopped.wait(1)


@dataclass
class Person(Somebody):
    """Sends a recording, has it separated, uses the stems, removes most of it.

    Attributes:
        takes: Their recordings.
        pause_s: How long they rest at most.
    """

    takes: Takes
    pause_s: float
    _sent: int = 0

    def act(self, stopped: threading.Event) -> None:
        """Send one recording through everything."""
        self._sent += 1
        filename = f"{self.name}-{self._sent}.wav"
        profile = self.random.choice([HERE, FAR] if self.service.bucket else [HERE])
        wav = self.takes.wav(self.random.uniform(*_SECONDS))
        if self._upload(wav, filename, profile):
            job_id = self._process(filename, profile)
            if self._wait(job_id)["state"] == "complete":
                self._use(job_id)
            self._remove(hashlib.sha256(wav).hexdigest(), job_id)
        stopped.wait(self.random.uniform(0, self.pause_s))

    def _upload(self, wav: bytes, filename: str, profile: str) -> bool:
        """Whether it is there; some uploads are given up half done."""
        if self.random.random() < 0.5:
            self.service.upload(wav, filename, profile)
            self.diary.note("uploads, whole")
            return True
        is_given_up = self.random.random() < 0.2
        begun = self._begin(wav, filename, profile)
        parts = range(1, begun["parts"] + 1)
        for part in list(parts)[: -1 if is_given_up else None]:
            self._put(begun, part, wav)
        if is_given_up:
            self.diary.note("uploads, given up")
            return False
        done = self._ask("POST", f"/api/uploads/{begun['upload_id']}/complete", json={})
        self.diary.note("uploads, in parts")
        return self._is_well(done)

    def _begin(self, wav: bytes, filename: str, profile: str) -> dict[str, Any]:
        body: dict[str, Any] = {"filename": filename, "size_bytes": len(wav)}
        body |= {"profile_name": profile, "mark": f"{filename} {len(wav)}"}
        if self.random.random() < 0.5:  # it goes to the bucket
            body["sha256"] = hashlib.sha256(wav).hexdigest()
        answer = self._ask("POST", "/api/uploads", json=body)
        answer.raise_for_status()
        return answer.json()

    def _put(self, begun: dict[str, Any], part: int, wav: bytes) -> None:
        data = wav[(part - 1) * begun["part_bytes"] : part * begun["part_bytes"]]
        path = f"/api/uploads/{begun['upload_id']}"
        if begun["method"] == "presigned":
            links = self._ask("POST", f"{path}/links", json={"parts": [part]}).json()["links"]
            sent = httpx.put(links[0]["url"], content=data, timeout=60, trust_env=False)
            sent.raise_for_status()
        else:
            answer = self._ask("PUT", f"{path}/parts/{part}", content=data)
            answer.raise_for_status()

    def _process(self, filename: str, profile: str) -> str:
        """Have it separated, and now and then ask once more."""
        body = {"profile_name": profile, "filename": filename}
        ids: set[str] = set()
        for _ in range(self.random.choice([1, 1, 1, 3])):
            answer = self._ask("POST", "/api/process", json=body)
            answer.raise_for_status()
            ids.add(answer.json()["job_id"])
        if len(ids) > 1:
            self.diary.broken.append(f"doubled: {filename} is {ids}")
        self.diary.accepted |= dict.fromkeys(ids)
        self.diary.note("jobs")
        return ids.pop()

    def _wait(self, job_id: str) -> dict[str, Any]:
        """Poll until it has ended; a few are cancelled meanwhile."""
        limit = time.monotonic() + _PATIENCE_S
        if self.random.random() < 0.05:  # one of twenty
            self._ask("POST", f"/api/jobs/{job_id}/cancel")
        while True:
            status = self._ask("GET", f"/api/jobs/{job_id}/status").json()
            if status["state"] in ENDED:
                self.diary.accepted[job_id] = status["state"]
                return status
            if time.monotonic() > limit:
                raise TimeoutError(f"{job_id} is {status['state']}")
            time.sleep(_POLL_S)

    def _use(self, job_id: str) -> None:
        """Listen, download and export, as one does with stems."""
        output_id = self._ask("GET", f"/api/jobs/{job_id}/status").json()["output_id"]
        output = self._ask("GET", f"/api/outputs/{output_id}")
        if not self._is_well(output):
            return
        stems = [each["name"] for each in output.json()["files"] if each["name"].endswith(".flac")]
        for name in stems:
            self._is_well(
                self._ask(
                    "GET",
                    f"/api/outputs/{output_id}/files/{name}",
                    headers={"range": "bytes=0-65535"},
                    follow_redirects=True,
                )
            )
        if self.random.random() < 0.3:
            self._is_well(self._ask("GET", f"/api/outputs/{output_id}/zip"))
            self.diary.note("archives")
        if self.random.random() < 0.4:
            self._export(output_id)

    def _export(self, output_id: str) -> None:
        body = {"stems": {"vocals": {"gain_db": -3.0}}, "format": "mp3"}
        begun = self._ask("POST", f"/api/outputs/{output_id}/exports", json=body)
        if not self._is_well(begun):
            return
        path = f"/api/exports/{begun.json()['export_id']}"
        limit = time.monotonic() + _PATIENCE_S
        while time.monotonic() < limit:
            answer = self._ask("GET", path)
            if not self._is_well(answer):  # its maker was killed
                return
            if answer.json()["state"] in {"ready", "error"}:
                break
            time.sleep(_POLL_S)
        self._ask("DELETE", path)
        self.diary.note("exports")

    def _remove(self, sha256: str, job_id: str) -> None:
        chance = self.random.random()
        if chance < 0.7:
            self._is_well(self._ask("DELETE", f"/api/recordings/{sha256}"))
            self.diary.note("recordings removed")
        elif chance < 0.85:
            output_id = self._ask("GET", f"/api/jobs/{job_id}/status").json()["output_id"]
            if output_id is not None:
                self._is_well(self._ask("DELETE", f"/api/outputs/{output_id}"))
                self.diary.note("outputs removed")

    def _is_well(self, answer: httpx.Response) -> bool:
        """Whether it was there; it need not be, and nothing else may be wrong."""
        if answer.status_code not in {404, 410}:
            answer.raise_for_status()
        return answer.is_success

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.service.ask(method, path, within_s=_PATIENCE_S, **more)


@dataclass
class Onlooker(Somebody):
    """Follows the stream of events for a while, leaves, and comes again; some do not read."""

    def act(self, stopped: threading.Event) -> None:
        """Look on for a while."""
        until = time.monotonic() + self.random.uniform(*_LOOKS_S)
        with (
            suppress(httpx.TransportError, httpx.HTTPStatusError),
            httpx.stream(
                "GET", f"{self.service.url}/api/events", timeout=3, trust_env=False
            ) as answer,
        ):
            answer.raise_for_status()
            self.diary.note("event streams")
            if self.random.random() < 0.25:
                stopped.wait(until - time.monotonic())
                return
            for _ in answer.iter_lines():
                if stopped.is_set() or time.monotonic() > until:
                    return
        stopped.wait(0.3)


@dataclass
class Poller(Somebody):
    """Asks how the newest job stands, lists jobs and recordings, steadily."""

    def act(self, stopped: threading.Event) -> None:
        """Ask once."""
        newest = self.diary.newest
        paths = ["/api/jobs?limit=50", "/api/recordings?limit=50", "/metrics", "/readyz"]
        path = self.random.choice(paths)
        if newest is not None and self.random.random() < 0.9:
            path = f"/api/jobs/{newest}/status"
        with suppress(httpx.TransportError):
            answer = self.service.call("GET", path)
            if answer.status_code >= 500 and answer.status_code != 503:
                self.diary.broken.append(f"{path}: {answer.status_code} {answer.text}")
            self.diary.note("status requests and lists")
        stopped.wait(_STATUS_EVERY_S)


def people(
    service: ServiceDeployment,
    diary: Diary,
    takes: Callable[[int], Takes],
    chance: Callable[[str], random.Random],
    *,
    number: int,
    pause_s: float,
) -> list[Somebody]:
    """Everybody who uses the service.

    Args:
        service: The service.
        diary: Where they write down what they did.
        takes: Recordings for each of them, by number.
        chance: What decides for whom.
        number: How many send recordings.
        pause_s: How long these rest at most.
    """
    senders = [
        Person(
            name := f"person-{each}",
            service,
            diary,
            chance(name),
            takes=takes(each),
            pause_s=pause_s,
        )
        for each in range(number)
    ]
    others = [Onlooker(name := f"onlooker-{n}", service, diary, chance(name)) for n in range(3)]
    return [*senders, *others, Poller("poller", service, diary, chance("poller"))]
