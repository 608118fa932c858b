"""Somebody who looks at the ledger after each step, and remembers: what must not change does not.

What was promised is the model's; here is what must hold however it came about: what has ended
stays, attempts are numbered without a gap and end as their errors say, each change is told, and a
complete job is charged for what it took.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import psycopg
from ledger_model import LedgerModel
from psycopg.rows import dict_row
from standing_stems import found

from stemset.jobs.events import Kind
from stemset.jobs.job import State

Row = Mapping[str, Any]
Change = tuple[str, str]
"""A kind of event, and its subject."""

_WALL_S = 1.5
"""What every manifest says that its attempt took."""

_NO_FAULT_OF_ITS_OWN = {
    "attempt_used": "passed_over",
    "interrupted": "interrupted",
    "storage_unavailable": "interrupted",
}
_FAULTS = {"computing_crashed", "object_corrupt", "input_changed", "worker_unreachable"}


class LedgerWitness:
    """What was seen of a ledger so far."""

    def __init__(self, conninfo: str, model: LedgerModel) -> None:
        """Begin with a ledger in which there is nothing."""
        self.connection = psycopg.connect(conninfo, autocommit=True)
        self._model = model
        self._ended: dict[str, Row] = {}
        self._progress: dict[str, float] = {}
        self._outcomes: dict[tuple[str, int], str | None] = {}
        self._last_event = 0
        self._stood: Mapping[Change, object] = {}

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode()).fetchall()

    def look(self, whole_at: Callable[[Row], Collection[str]]) -> None:
        """Compare the ledger with what was promised and with what it was.

        Args:
            whole_at: Gives the folders of attempts at a job's place whose stems are as they must
                be.
        """
        jobs = self.rows("SELECT *, now() - created_at AS age FROM jobs ORDER BY created_at, id")
        attempts = self.rows("SELECT * FROM attempts ORDER BY job_id, number")
        assert {row["id"] for row in jobs} == set(self._model.jobs)
        for row in jobs:
            its = [each for each in attempts if each["job_id"] == row["id"]]
            outcomes = Counter(each["outcome"] for each in its)
            self._model.follow(row, outcomes, whole_at(row))
            assert row["is_current"] == self._model.jobs[row["id"]].is_current
            self._look_at_attempts(row, its)
            self._look_back(row)
        self._look_at_entries(jobs)
        outputs = self.rows("SELECT * FROM outputs")
        names = {(row["profile"], row["output_name"]): row["sha256"] for row in outputs}
        assert names == {name: found(owner).sha256 for name, owner in self._model.names.items()}
        self._look_at_events(jobs, outputs)
        self._look_at_usage(jobs, attempts)

    def close(self) -> None:
        """Look no more."""
        self.connection.close()

    def _look_at_attempts(self, job: Row, its: Sequence[Row]) -> None:
        assert [each["number"] for each in its] == list(range(1, len(its) + 1))
        assert sum(each["outcome"] is None for each in its) <= 1
        for each in its:
            key, outcome = (each["job_id"], each["number"]), each["outcome"]
            assert self._outcomes.setdefault(key, outcome) in {None, outcome}
            self._outcomes[key] = outcome
            if each["error"] is not None:
                code = each["error"]["code"]
                assert code in _NO_FAULT_OF_ITS_OWN or code in _FAULTS, each["error"]
                assert outcome == _NO_FAULT_OF_ITS_OWN.get(code, "failed"), each["error"]
            won = each["folder"] == job["attempt"]  # perhaps after it was thought dead
            assert outcome not in ({None, "cancelled"} if won else {"complete"}), each

    def _look_back(self, job: Row) -> None:
        if job["ended_at"] is None:
            assert job["progress"] >= self._progress.get(job["id"], 0.0)
            self._progress[job["id"]] = job["progress"]
        else:
            fixed = {key: job[key] for key in ("state", "stems", "attempt", "error")}
            assert self._ended.setdefault(job["id"], fixed) == fixed

    def _look_at_entries(self, jobs: Sequence[Row]) -> None:
        entries = Counter(row["lock"] for row in self.rows("SELECT lock FROM procrastinate_jobs"))
        assert all(entries[row["id"]] == 1 for row in jobs if row["ended_at"] is None)
        assert max(entries.values(), default=0) <= 1

    def _look_at_events(self, jobs: Sequence[Row], outputs: Sequence[Row]) -> None:
        """Whoever listens is told of everything that has become another since the last look."""
        stands: dict[Change, object] = {(Kind.JOB, row["id"]): row["state"] for row in jobs}
        for row in self.rows("SELECT * FROM recordings"):
            its = [each["id"] for each in outputs if each["sha256"] == row["sha256"]]
            whole = {each["id"] for each in outputs if each["id"] in its and each["metadata"]}
            stands[Kind.RECORDING, row["sha256"]] = row["deleted_at"] is None, whole
            stands |= {(Kind.OUTPUT, each): each for each in whole}
        events = self.rows("SELECT * FROM events ORDER BY id")
        told = {(row["kind"], row["subject"]) for row in events if row["id"] > self._last_event}
        changes = {
            each for each in {*stands, *self._stood} if stands.get(each) != self._stood.get(each)
        }
        assert changes <= told, f"nobody was told of {changes - told}"
        self._stood = stands
        self._last_event = max([self._last_event, *(row["id"] for row in events)])

    def _look_at_usage(self, jobs: Sequence[Row], attempts: Sequence[Row]) -> None:
        """What a complete job is charged for; that it is charged once is among the invariants."""
        tried = Counter(each["job_id"] for each in attempts)
        usage = {row["job_id"]: row for row in self.rows("SELECT * FROM usage")}
        for job in jobs:
            if State(job["state"]) is State.COMPLETE:
                charged = usage[job["id"]]
                names = ("owner", "profile", "attempts", "audio_s", "computing_s")
                length_s = found(self._model.jobs[job["id"]].place.recording).duration_s
                expected = (job["owner"], job["profile"], tried[job["id"]], length_s, _WALL_S)
                assert tuple(charged[name] for name in names) == expected, charged
