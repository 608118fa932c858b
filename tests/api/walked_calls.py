"""Goes from call to call as answers lead on, with made-up bodies around what cannot be made up.

Schemathesis makes the bodies and holds every answer against the document; its own state machine
draws ids from a source without a seed, and has no recordings.
"""

import io
import itertools
import os
import time
import wave
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import httpx
import numpy as np
import schemathesis
from call_order import BEGINNINGS, FOLLOWING, MAKES, Answered
from fuzz_checks import ACCEPTED_STATUSES  # which registers checks of ours, too
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

SEED = int(os.environ.get("STEMSET_TEST_SEED", "1"))
PROFILE = "here"
RATE_HZ = 44_100
GOES_ON = 0.8
"""How often the last answer is gone on from, and not any earlier one."""

_MADE_UP = 12
_ENDED_WITHIN_S = 60.0
_PARTS_NUMBER = 9
_OPEN = {
    "get_job": ("queued", "waking", "processing"),
    "get_export": ("queued", "running"),
}
load_all_checks()
_EXCLUDED: Any = CHECKS.get_by_names(["ignored_auth"])  # on loopback nobody needs a token


class Calls:
    """The calls of a service, each with made-up cases."""

    def __init__(self, url: str) -> None:
        """Read the document and make the cases up; the seed makes the same ones."""
        self._url = url
        config = schemathesis.Config.from_dict(
            {
                "generation": {"allow-x00": False, "with-security-parameters": False},
                "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED_STATUSES}},
            }
        )
        self._schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json", config=config)
        named = {*BEGINNINGS, *FOLLOWING, *(call for each in FOLLOWING.values() for call in each)}
        names = sorted(each if isinstance(each, str) else each[0] for each in named)
        self._cases = {name: self._made_up(name) for name in dict.fromkeys(names)}
        self.answered: Counter[tuple[str, int]] = Counter()
        self._well: Counter[str] = Counter()
        self._gone: set[str] = set()
        self._deletions = 0
        self._numbers = itertools.cycle(range(3))

    def go(self, random: Random, way: Sequence[str]) -> None:
        """Go a way, each call from the latest answer that leads there; every one goes well."""
        answers: list[Answered] = []
        for call in way:
            led = next((each for each in answers if call in dict(each.ways())), None)
            ids = dict(led.ways())[call] if led else {}
            tried: list[Answered] = []
            for case in random.sample(self._cases[call], len(self._cases[call])):
                tried.append(self._take(case, call, ids, led))
                if tried[-1].status < httpx.codes.BAD_REQUEST:
                    break
            assert tried[-1].status < httpx.codes.BAD_REQUEST, (call, tried)
            answers.insert(0, tried[-1])

    def walk(self, random: Random, steps: int) -> None:
        """Go so many steps, wherever answers lead; raises what is not as described."""
        answers: list[Answered] = []
        for _ in range(steps):
            call, ids, led = self._next(random, answers)
            answers.append(self._take(random.choice(self._cases[call]), call, ids, led))

    def _take(
        self, case: Case, call: str, ids: Mapping[str, str], led: Answered | None
    ) -> Answered:
        """Call, and hold the answer against the document, and against what was answered before."""
        more = _filled(case, call, ids, self._numbers)
        if call in _OPEN:
            self._wait(case, _OPEN[call])
        response = case.call(**more)
        case.validate_response(response, excluded_checks=_EXCLUDED, transport_kwargs=more)
        self.answered[call, response.status_code] += 1
        self._well[call] += response.status_code < httpx.codes.BAD_REQUEST
        self._hold(case, response.status_code, led if ids else None)
        path = dict(case.path_parameters)
        return Answered(call, response.status_code, path, _json(response), self._deletions)

    def _hold(self, case: Case, status: int, led: Answered | None) -> None:
        """Hold an answer against earlier ones, as the tool's checks do in its own state machine.

        What was deleted is not read, nor anything below it; what a call has led to is there, unless
        something was deleted since.
        """
        place, went_well = case.formatted_path, status < httpx.codes.BAD_REQUEST
        if case.method == "GET" and went_well:
            assert not [gone for gone in self._gone if f"{place}/".startswith(f"{gone}/")], place
        if status == httpx.codes.NOT_FOUND and led and led.call in MAKES:
            assert led.deletions < self._deletions, f"{led.call} led to {place}, which is not there"
        if case.method in {"POST", "PUT"}:  # a recording's id is its hash: the same can come again
            self._gone = {gone for gone in self._gone if "/recordings/" not in gone}
        elif case.method == "DELETE" and went_well:
            self._gone.add(place)
            self._deletions += 1

    def _next(
        self, random: Random, answers: Sequence[Answered]
    ) -> tuple[str, Mapping[str, str], Answered | None]:
        """The next call: one that follows from the last answer, or an earlier one, or anew."""
        ways: list[tuple[str, Mapping[str, str], Answered | None]]
        ways = [(*way, each) for each in answers[-1:] for way in each.ways()]
        if not ways or random.random() > GOES_ON:
            ways = [(*way, each) for each in answers for way in each.ways()]
            ways += [(each, {}, None) for each in BEGINNINGS]
        # What went well least often is the likeliest.
        weights = [1 / (1 + self._well[call]) for call, *_ in ways]
        return random.choices(ways, weights)[0]

    def _made_up(self, name: str) -> list[Case]:
        operation = self._schema.find_operation_by_id(name)
        cases: list[Case] = []

        @seed(SEED)
        @settings(
            max_examples=_MADE_UP,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.filter_too_much,
                HealthCheck.data_too_large,
                HealthCheck.large_base_example,
            ],
        )
        @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def collect(case: Case) -> None:
            cases.append(case)

        collect()
        return cases

    def _wait(self, case: Case, open_states: Sequence[str]) -> None:
        """Wait until what is asked for has ended, if it is there."""
        until_s = time.monotonic() + _ENDED_WITHIN_S
        while time.monotonic() < until_s:
            answer = httpx.get(self._url + case.formatted_path, timeout=20, trust_env=False)
            if answer.status_code != httpx.codes.OK or answer.json()["state"] not in open_states:
                return
            time.sleep(0.02)
        raise TimeoutError(f"{case.formatted_path} does not end")


def _filled(
    case: Case, call: str, ids: Mapping[str, str], numbers: Iterator[int]
) -> dict[str, Any]:
    """Put in what cannot be made up; gives what is sent in place of the body."""
    in_path = {each.name for each in case.operation.path_parameters}
    case.path_parameters = {**case.path_parameters, **{k: ids[k] for k in ids if k in in_path}}
    case.query = {**case.query, **{k: ids[k] for k in ids if k not in in_path}}
    if call == "upload":
        number = next(numbers)
        file = (f"take {number}.wav", recording(number), "audio/wav")
        return {"files": {"file": file}, "data": {"profile_name": PROFILE}}
    if call == "put_upload_part":
        return {"data": recording(_PARTS_NUMBER)}
    if isinstance(case.body, dict):
        case.body = {**case.body, **_put_in(call, case.body, numbers)}
    return {}


def _put_in(call: str, body: Mapping[str, Any], numbers: Iterator[int]) -> dict[str, Any]:
    match call:
        case "begin_upload":
            size_bytes = len(recording(_PARTS_NUMBER))
            return {"size_bytes": size_bytes, "profile_name": PROFILE, "sha256": None}
        case "complete_upload":
            return {"sha256": None, "etags": None}
        case "process":
            return {"profile_name": PROFILE, "filename": f"take {next(numbers)}.wav"}
        case "process_recording":
            return {"profile_name": PROFILE}
        case "create_export":
            stems = {"vocals": next(iter(body["stems"].values()))}
            whole = {"start_s": 0, "end_s": None, "depth": None, "bitrate": None}
            return {"stems": stems, **whole}
    return {}


def _json(response: schemathesis.Response) -> Mapping[str, Any]:
    if not response.headers.get("content-type", [""])[0].startswith("application/json"):
        return {}
    body = response.json()
    return body if isinstance(body, dict) else {}


def recording(number: int) -> bytes:
    """A recording of a fifth of a second, another for each number."""
    noise = np.random.default_rng(number).integers(-9000, 9000, (RATE_HZ // 5, 2), np.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(2)
        written.setsampwidth(2)
        written.setframerate(RATE_HZ)
        written.writeframes(noise.astype("<i2").tobytes())
    return file.getvalue()
