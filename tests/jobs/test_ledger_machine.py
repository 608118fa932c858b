"""Whatever happens in whatever order: the ledger keeps what it promised.

Hypothesis draws calls, reports, crashes, outages and clocks; a small model says what each call must
be answered and how jobs may end (``ledger_model``), and somebody else reads the books after each
step (``invariants``). ``STEMSET_TEST_EXAMPLES=1000`` makes so many plays instead of always the
same few; ``STEMSET_TEST_SEED`` repeats those that printed it.
"""

import asyncio
import os
import random
import shutil
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from invariants import Books
from ledger_database import LedgerDatabases
from ledger_model import LedgerModel, Place, Refused
from ledger_stage import CRASH_POINTS, Deed, Key, Killed, open_queue, stage
from ledger_witness import LedgerWitness
from procrastinate import App
from sqlalchemy.ext.asyncio import AsyncConnection
from standing_stems import found, output_id, put_input, request
from standing_stems import note as note_recording

from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import parse_strategy
from stemset.errors import JobNotFound, StemsetError, StorageUnavailable
from stemset.jobs import accepting, deletion, ledger, removal
from stemset.jobs.database import Database
from stemset.jobs.hints import take_hint
from stemset.jobs.job import Request, State
from stemset.jobs.orphans import collect_orphans
from stemset.orders.messages import Report, Status
from stemset.storage.keys import CLAIM, METADATA, claim_key, output_prefix

Result = TypeVar("Result")

PLACES = [
    Place("h4n", "take", 1),
    Place("h4n", "take", 2),
    Place("h4n", "other", 2),
    Place("h4n", "third", 1),
    Place("far", "take", 1),
    Place("far", "other", 2),
    Place("far", "third", 1),
]
PROCESSES = [0, 1]
FAULTS = [
    "nothing",
    "killed",
    "power cut",
    "store away",
    "worker away",
    "worker killed",
    "worker frozen",
    *CRASH_POINTS,
]
HOURS = [-1, 0.1, 13, 25]
CLOCKS_OFF_H = [-10, 0, 10]
EXAMPLES, STEPS, SEED = 20, 40, 3
_LONGEST_PAUSE_H = 0.02
_DRIVEN_TO_THE_END_IN = 60
_AT_THE_END_ONLY = ("I1 open", "I5", "I6 attempt open")
_NOT_WITH_SUCH_CLOCKS = ("I1 late", "I6 wasted")
_TAKEN = "SELECT id, lock, worker_id FROM procrastinate_jobs WHERE status = 'doing' ORDER BY id"
_DUE_LATER = "SELECT key FROM doomed WHERE created_at > now()"
_PLACES = ("inputs", "claims", "outputs")
_CHOICE = {"format": "wav", "bitrate": None, "depth": None}

some_place = st.sampled_from(PLACES)
some_process = st.sampled_from(PROCESSES)
some_number = st.integers(0, 5)
some_deed = st.sampled_from([*[Deed.WHOLE] * 3, Deed.UNHEARD, *Deed])
some_good_deed = st.sampled_from([*[Deed.WHOLE] * 9, *Deed])


class LedgerMachine(RuleBasedStateMachine):
    """All that can happen to jobs, in any order."""

    def __init__(self, runner: asyncio.Runner, database: Database, app: App, folder: Path) -> None:
        super().__init__()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._runner = runner
        self._model = LedgerModel(timedelta(hours=max(CLOCKS_OFF_H)))
        self._witness = LedgerWitness(database.conninfo, self._model)
        self._deleted: set[str] = set()
        self._staged = stage(database, folder, app)
        self._stage = self._staged.__enter__()
        self._books = Books(database.conninfo, self._stage.sound_store)

    @initialize(places=st.lists(some_place, min_size=1, max_size=3))
    def begin(self, places: list[Place]) -> None:
        for number in (1, 2):
            self.upload(number)
        for place in places:
            self.ask(place)

    # Calls.

    @rule(number=st.sampled_from([1, 2]))
    def upload(self, number: int) -> None:
        recording = found(number)

        async def arrive() -> None:
            stage = self._stage
            await removal.settle(stage.database, stage.store, stage.threads, recording.sha256)
            if stage.shaky.answers == 0:
                raise StorageUnavailable("The store is away.")
            put_input(stage.sound_store, recording)
            await note_recording(stage.world, recording)

        if self._call(arrive()):
            self._model.recordings.add(number)

    @rule(place=some_place)
    def ask(self, place: Place) -> None:
        standing = self._model.standing(place)
        refused = None if standing else self._model.refuses(place)
        answer = self._in_transaction(lambda each: accepting.accept(each, _wanted(place)), refused)
        if answer is not None:
            job, is_new = answer
            assert (job.id == standing) is not is_new
            if is_new:
                self._model.accepted(job.id, place)

    @rule(which=some_number)
    def retry(self, which: int) -> None:
        self._retry(self._job(which))

    def _retry(self, job_id: str) -> None:
        place = self._model.jobs[job_id].place
        refused = self._model.refuses_retry(job_id)
        retried = self._in_transaction(lambda each: accepting.retry(each, job_id, "local"), refused)
        if retried is None:
            return
        self._model.jobs[job_id].is_current = False
        expected = self._model.jobs[job_id].retried_as or self._model.standing(place)
        if expected:
            assert retried.id == expected
        else:
            assert retried.retry_of == job_id
            self._model.accepted(retried.id, place)
            self._model.jobs[job_id].retried_as = retried.id

    @rule(
        which=some_number,
        kind=st.sampled_from(["cancel", "cancel", "cancel", "output", "recording"]),
        is_at_work=st.booleans(),
        is_heard=st.booleans(),
    )
    def give_up(self, which: int, kind: str, is_at_work: bool, is_heard: bool) -> None:
        """A job is cancelled, or what it makes is deleted, or what it is made of."""
        key = self._at_work(which) if is_at_work else None
        job_id = key[0] if key else self._job(which)
        place = self._model.jobs[job_id].place
        if kind == "cancel":
            self._cancel(job_id)
        elif kind == "recording":
            self._delete_recording(place.recording)
        elif place[:2] in self._model.names:
            self._delete_output(place)
        if is_heard:
            jobs = self._model.jobs
            ended = [each for each in jobs if self._state(each).has_ended]
            let_go = self._run(self._stage.hears(jobs, ended))
            assert not let_go & set(self._stage.worker.working), "computes on"

    @rule(
        which=some_number,
        attempt=st.sampled_from([1, 2, 3, 7]),
        status=st.sampled_from([Status.COMPLETE, Status.ERROR, Status.PROGRESS]),
    )
    def lie(self, which: int, attempt: int, status: Status) -> None:
        """A callback that is made up."""
        self._call_back((self._job(which), attempt), status)
        report = Report(job_id="0" * 32, attempt=attempt, seq=5, status=status)
        parts = self._stage.database, self._stage.store, self._stage.threads
        with pytest.raises(JobNotFound):
            self._run(take_hint(*parts, report))

    @rule(which=some_number, times=st.sampled_from([1, 3]))
    def call_back(self, which: int, times: int) -> None:
        """A callback that is true, early or late."""
        keys = list(self._stage.worker.whole) or [(self._job(which), 1)]
        self._call_back(keys[which % len(keys)], Status.COMPLETE, times)

    # What processes and the worker do.

    @rule(place=some_process, waits=st.booleans())
    def take(self, place: int, waits: bool) -> None:
        """A process takes an entry, at once or a minute later; one that died is there again."""
        self._run(self._stage.starts(place))
        if waits:  # until all pauses are over, and the leases of the dead
            self._run(self._stage.passes(_LONGEST_PAUSE_H))
            self._run(self._stage.looks(place))
        self._run(self._stage.takes(place))

    @rule(
        which=some_number,
        deed=some_deed,
        is_cancelled=st.sampled_from([*[False] * 4, True]),
        answers=st.sampled_from([*[None] * 5, 5, 6, 7, 8, 8]),
    )
    def work(self, which: int, deed: Deed, is_cancelled: bool, answers: int | None) -> None:
        """The worker ends an attempt, perhaps in the moment in which its job is cancelled.

        The store may go away meanwhile, for a moment, after so many answers: five to the worker
        that leaves stems, then to who looks at them, the eighth before they are published.
        """
        key = self._at_work(which)
        if key is None:
            return
        if is_cancelled:
            self._cancel(key[0])
        shaky = self._stage.shaky
        is_there = shaky.answers is None
        if is_there:
            shaky.answers = answers
        self._end(key, deed)
        if is_there:
            shaky.answers = None

    @rule(which=some_number, deed=some_deed)
    def work_late(self, which: int, deed: Deed) -> None:
        """What was thought dead writes into its folder, whatever became of the job."""
        if not self._stage.worker.frozen:
            self._stage.worker.is_thought_dead(comes_back=True)
            self._run(self._stage.settles())
        # First of all those whose job is no longer open: others have won.
        keys = sorted(self._stage.worker.frozen, key=lambda key: not self._state(key[0]).has_ended)
        if keys:
            key = keys[which % len(keys)]
            self._end(key, deed)
            self._call_back(key, Status.COMPLETE)

    @rule(
        which=some_number,
        wins=some_good_deed,
        late=some_good_deed,
        by_another=st.sampled_from([True, True, False]),
        calls_back=st.booleans(),
    )
    def overtake(
        self, which: int, wins: Deed, late: Deed, by_another: bool, calls_back: bool
    ) -> None:
        """What was thought dead comes to its end after the next attempt did."""
        key = self._at_work(which)
        if key is None:
            return
        worker = self._stage.worker
        if by_another:
            self._run(self._stage.is_overtaken(key))
        else:
            worker.is_thought_dead(comes_back=True)
            self._run(self._stage.settles())
        for newer in [each for each in worker.working if each[0] == key[0]]:
            self._end(newer, wins)
        self._end(key, late)
        if calls_back:
            self._call_back(key, Status.COMPLETE)

    # Faults.

    @rule(kind=st.sampled_from(FAULTS), place=some_process, after=st.sampled_from([0, 0, 3, 6, 9]))
    def strike(self, kind: str, place: int, after: int) -> None:
        """Something is killed, goes away, perhaps after a few more answers, or is thought dead."""
        stage = self._stage
        stage.shaky.answers = after if kind == "store away" else None
        stage.worker.is_away = kind == "worker away"
        if kind == "killed":
            self._run(stage.dies(place))
        elif kind == "power cut":
            self._run(stage.loses_power())
        elif kind.startswith("worker") and kind != "worker away":
            stage.worker.is_thought_dead(comes_back=kind == "worker frozen")
            self._run(stage.settles())
        elif kind in CRASH_POINTS:
            stage.crashes_at = kind

    @rule(frozen=st.sampled_from([None, *PROCESSES]))
    def recover(self, frozen: int | None) -> None:
        """Leases expire, that of a living process as well, and the others look."""
        self._run(self._stage.starts(0))
        self._run(self._stage.is_silent(frozen))
        others = {key: each for key, each in self._stage.processes.items() if key != frozen}
        living = {each.worker_id for each in others.values()}
        taken = self._rows(_TAKEN)
        for place in others:
            self._run(self._stage.looks(place))
        if others:
            # A process that was frozen can be at a job whose entry went to one that has died since.
            at = set.intersection(*(set(each.task.job_ids) for each in others.values()))
            kept = [row for row in taken if row["worker_id"] in living or row["lock"] in at]
            assert self._rows(_TAKEN) == kept, "those of the silent are let go, and no others"

    @rule(
        hours=st.sampled_from(HOURS),
        clock_off=st.sampled_from(CLOCKS_OFF_H),
        cleans=st.booleans(),
    )
    def pass_time(self, hours: float, clock_off: int, cleans: bool) -> None:
        """Time passes, or steps back; the clock of the processes is another than the ledger's."""
        self._stage.clock_off = timedelta(hours=clock_off)
        self._run(self._stage.passes(hours))
        if cleans:
            self._call(self._clean())

    # What must hold.

    @invariant()
    def hold(self) -> None:
        """What was promised is kept, at every step."""
        self._witness.look(self._whole)
        wrong = [each for each in self._problems() if not each.startswith(_AT_THE_END_ONLY)]
        assert wrong == []

    def teardown(self) -> None:
        try:
            if self._model.recordings or self._model.jobs:
                self._run(self._to_the_end())
                self.hold()
                assert self._problems() == []
        finally:
            self._run(self._stage.is_over())
            self._witness.close()
            self._staged.__exit__(None, None, None)

    async def _to_the_end(self) -> None:
        """Mend everything, and let all jobs end."""
        stage = self._stage
        stage.crashes_at, stage.shaky.answers, stage.worker.is_away = None, None, False
        stage.clock_off = timedelta()
        stage.worker.is_thought_dead(comes_back=False)
        for place in PROCESSES:
            await stage.dies(place)
        await stage.starts(0)
        await stage.is_silent(None)
        await stage.looks(0)
        for _ in range(_DRIVEN_TO_THE_END_IN):
            await stage.takes(0)
            for key in sorted(stage.worker.working):
                stage.worker.ends(key, Deed.WHOLE)
            await stage.settles()
            await stage.passes(0.1)
            if not self._rows("SELECT FROM procrastinate_jobs"):
                break
        await stage.passes(49)
        await self._clean()

    async def _clean(self) -> None:
        parts = self._stage.database, self._stage.store, self._stage.threads
        await removal.work_off(*parts)
        left = self._deleted & self._lying()
        assert not left, f"what was deleted lies there still: {sorted(left)}"
        await collect_orphans(*parts)

    def _lying(self) -> set[str]:
        """What lies in the store and must not, if it was deleted."""
        keys = {info.key for place in _PLACES for info in self._stage.sound_store.list_below(place)}
        again = {f"{output_prefix(*name)}/{METADATA}" for name in self._model.names}
        for number in self._model.recordings:
            again |= set(_input_keys(number))
        # The clock may have stepped back; a claim goes with what it is a claim to.
        later = tuple(row["key"] for row in self._rows(_DUE_LATER))
        due = {key for key in keys if not key.replace("claims/", "inputs/", 1).startswith(later)}
        return due - again

    def _at_work(self, which: int) -> Key | None:
        """An attempt that the worker is at: if there is none, something is wanted, and taken."""
        if not self._stage.worker.working:
            if not any(job.is_open for job in self._model.jobs.values()):
                self._want(which)
            self.take(which % len(PROCESSES), waits=True)
            self._witness.look(self._whole)  # the model follows before anything else is asked for
        keys = list(self._stage.worker.working)
        return keys[which % len(keys)] if keys else None

    def _want(self, which: int) -> None:
        """Ask for what nobody asked for yet, or again for what came to nothing."""
        ended = [key for key, job in self._model.jobs.items() if job.is_current]
        failed = [key for key in ended if self._model.jobs[key].state is not State.COMPLETE]
        free = [place for place in PLACES if not self._model.standing(place)]
        if failed and (which % 2 or not free):
            self._retry(failed[which % len(failed)])
        elif free:
            place = free[which % len(free)]
            if place.recording not in self._model.recordings:
                self.upload(place.recording)
            self.ask(place)

    def _end(self, key: Key, deed: Deed) -> None:
        self._stage.worker.ends(key, deed)
        if deed is Deed.INPUT_CHANGED:
            self._model.jobs[key[0]].input_changed = True
        self._run(self._stage.settles())

    def _call_back(self, key: Key, status: Status, times: int = 1) -> None:
        report = Report(job_id=key[0], attempt=key[1], seq=5, status=status)
        stage = self._stage

        async def hint() -> None:
            for _ in range(times):
                await take_hint(stage.database, stage.store, stage.threads, report)

        self._call(hint())
        self._run(self._stage.settles())

    def _cancel(self, job_id: str) -> None:
        refused = self._model.refuses_cancel(job_id)
        if self._in_transaction(lambda each: ledger.cancel(each, job_id), refused):
            self._model.cancelled(job_id)

    def _delete_output(self, place: Place) -> None:
        async def delete(connection: AsyncConnection) -> bool:
            its_id = await output_id(connection, _wanted(place))
            await deletion.delete_output(connection, its_id, None)
            return True

        if self._in_transaction(delete, self._model.refuses_output_deletion(place)):
            self._model.output_deleted(*place[:2])
            self._remember_deleted(place[:2])

    def _delete_recording(self, number: int) -> None:
        async def delete(connection: AsyncConnection) -> bool:
            await deletion.delete_recording(connection, found(number).sha256, None)
            return True

        names = [name for name, owner in self._model.names.items() if owner == number]
        if self._in_transaction(delete, self._model.refuses_recording_deletion(number)):
            self._model.recording_deleted(number)
            self._remember_deleted(*names)
            self._deleted.update(_input_keys(number))

    def _remember_deleted(self, *names: tuple[str, str]) -> None:
        """Note what lies below outputs' names; claims are left out: whoever joins writes anew."""
        for name in names:
            for info in self._stage.sound_store.list_below(output_prefix(*name)):
                if not info.key.endswith(f"/{CLAIM}"):
                    self._deleted.add(info.key)

    def _state(self, job_id: str) -> State:
        (row,) = [each for each in self._rows("SELECT id, state FROM jobs") if each["id"] == job_id]
        return State(row["state"])

    def _whole(self, row: Mapping[str, Any]) -> list[str]:
        """Folders of attempts at a job's place whose stems are as they must be."""
        place = self._model.jobs[row["id"]].place
        return [
            f"{job_id[:8]}-{number}"
            for job_id, number in self._stage.worker.whole
            if self._model.jobs[job_id].place == place
        ]

    def _job(self, which: int) -> str:
        """One of the jobs, first of all those that are open."""
        jobs = self._model.jobs
        return sorted(jobs, key=lambda each: not jobs[each].is_open)[which % len(jobs)]

    def _in_transaction(
        self,
        work: Callable[[AsyncConnection], Awaitable[Result]],
        refused: Refused | None = None,
    ) -> Result | None:
        """What is answered; nothing if it is refused, as it must be, or whoever answers dies."""

        async def call() -> Result:
            async with self._stage.database.transaction() as connection:
                return await work(connection)

        async def refuse() -> None:
            with pytest.raises(refused or StemsetError):
                await call()

        return self._surviving(call() if refused is None else refuse())

    def _call(self, work: Awaitable[object]) -> bool:
        """Do something that the store's being away may stop. Returns whether it was done."""

        async def call() -> bool:
            try:
                await work
            except StorageUnavailable:
                return False
            return True

        return bool(self._surviving(call()))

    def _surviving(self, work: Awaitable[Result]) -> Result | None:
        async def call() -> Result | None:
            try:
                return await work
            except Killed:
                for place in list(self._stage.processes)[:1]:
                    await self._stage.dies(place)
                return None

        return self._run(call())

    def _problems(self) -> list[str]:
        wrong = self._books.problems(self._witness.connection)
        return [each for each in wrong if not each.startswith(_NOT_WITH_SUCH_CLOCKS)]

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return self._witness.rows(query)

    def _run(self, work: Any) -> Any:
        return self._runner.run(work)


def _input_keys(number: int) -> tuple[str, str]:
    """Where a recording lies, and the claim to its place."""
    key = str(found(number).input_key)
    _, profile, filename = key.split("/")
    return key, claim_key(profile, filename)


def _wanted(place: Place) -> Request:
    strategy = {"_": "spleeter-2stems", "vocals": "vocals"}
    made = fingerprint(
        parse_strategy(strategy, "spleeter-2stems"), OutputChoice(OutputFormat.WAV, None, None)
    )
    return request(
        found(place.recording),
        place.profile,
        output_name=place.output_name,
        strategy=strategy,
        output=_CHOICE,
        fingerprint=made,
    )


@pytest.mark.slow
def test_ledger_keeps_what_it_promised_whatever_happens(
    ledger_databases: LedgerDatabases, tmp_path: Path
) -> None:
    examples = int(os.environ.get("STEMSET_TEST_EXAMPLES", EXAMPLES))
    drawn = int(os.environ.get("STEMSET_TEST_SEED", SEED if examples == EXAMPLES else _any_seed()))
    print(f"STEMSET_TEST_SEED={drawn}")  # noqa: T201 - who sees it fail repeats it
    conninfo = ledger_databases.migrated()
    with asyncio.Runner() as runner:
        database, app = Database(conninfo), runner.run(open_queue(conninfo))

        class Play(LedgerMachine):
            def __init__(self) -> None:
                super().__init__(runner, database, app, tmp_path / "stage")

        try:
            run_state_machine_as_test(
                seed(drawn)(Play),
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(app.close_async())
            runner.run(database.close())
    ledger_databases.drop(conninfo)


def _any_seed() -> int:
    return random.SystemRandom().randrange(1 << 32)
