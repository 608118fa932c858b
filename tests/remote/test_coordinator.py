import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from remote_run import Remote, Take

from stemset.cli.batch import Batch, run_batch
from stemset.cli.remote.meter import Meter
from stemset.cli.remote.survey import RemoteJob
from stemset.cli.report import make_report
from stemset.dispatch.standing import Whole
from stemset.errors import (
    AttemptUsed,
    ClockSkewed,
    ComputingCrashed,
    CorruptAudio,
    InputChanged,
    Interrupted,
    NetworkFailed,
    StemsetError,
    WorkerUnreachable,
)
from stemset.orders.messages import Order
from stemset.pipeline.output import making_output, read_metadata
from stemset.pipeline.plan import identify
from stemset.pipeline.verify import verify_output
from stemset.storage.exchange import Wanted
from stemset.storage.keys import MANIFEST, AttemptFolder, attempt_folder
from stemset.storage.outputs import read_manifest
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_remote_run_makes_the_output_that_this_machine_makes(
    remote: Remote, take: Take, tmp_path: Path
) -> None:
    path = take()

    ran = remote(path)
    output = remote.output()
    here = tmp_path / "here"
    run_batch(_on_this_machine(remote, here), [path], make_report(as_json=True))

    assert ran.code == 0
    assert output.name.startswith("take_")
    (local,) = here.iterdir()
    assert output.name == local.name
    assert _without_metadata(output) == _without_metadata(local)
    assert verify_output(output, path).problems == ()


def test_remote_run_keeps_the_manifests_metadata(remote: Remote, take: Take) -> None:
    remote(take())

    output = remote.output()
    (order,) = remote.worker.orders
    folder = attempt_folder("far", output.name, order.job_id, 1)
    manifest = read_manifest(remote.store, folder)
    published = json.loads(
        (remote.bucket / "outputs/far" / output.name / "metadata.json").read_text()
    )
    assert manifest is not None
    assert read_metadata(output) == manifest.metadata
    assert published["attempt"] == folder.name
    assert published["stems"]["vocals"]["stem_url"] == f"{folder.name}/vocals.flac"


def test_remote_run_leaves_only_the_output(remote: Remote, take: Take) -> None:
    remote(take())

    assert [path.name for path in remote.media.iterdir()] == [remote.output().name]
    assert remote.worker.closed


def test_remote_run_tells_the_whole_story(remote: Remote, take: Take) -> None:
    ran = remote(take())

    kinds = [event["event"] for event in ran.events if event["event"] != "progress"]
    assert kinds == ["planned", "uploaded", "ordered", "complete", "summary"]
    job_ids = {event.get("job_id") for event in ran.events if event["event"] != "summary"}
    assert job_ids == {remote.worker.orders[0].job_id}
    phases = list(dict.fromkeys(event["phase"] for event in ran.of("progress")))
    assert phases[0] == "uploading"
    assert phases[-1] == "fetching_stems"
    assert "separating" in phases


def test_order_says_what_the_profile_says(remote: Remote, take: Take) -> None:
    path = take("Take 1.wav")

    remote(path)

    (order,) = remote.worker.orders
    assert (order.attempt, order.profile_name, order.strategy_name) == (1, "far", "spleeter-2stems")
    assert (order.input.key, order.input.name) == ("inputs/far/Take 1.wav", "Take 1.wav")
    assert order.input.sha256 == identify(path).sha256
    assert order.output.prefix == f"outputs/far/{order.output_name}/{order.job_id[:8]}-1"
    assert order.callback_url is None
    assert not order.uses_links


def test_remote_run_again_does_nothing(remote: Remote, take: Take) -> None:
    path = take()
    remote(path)

    again = remote(path)
    here = run_batch(_on_this_machine(remote, remote.media), [path], make_report(as_json=True))

    assert [event["event"] for event in again.events] == ["skipped", "summary"]
    assert here == 0
    assert len(remote.worker.orders) == 1


def test_remote_run_fetches_what_stands_and_orders_nothing(remote: Remote, take: Take) -> None:
    path = take()
    remote(path)
    shutil.rmtree(remote.media)
    shutil.rmtree(remote.bucket / "inputs")

    ran = remote(path)

    kinds = [event["event"] for event in ran.events if event["event"] != "progress"]
    assert kinds == ["planned", "found", "complete", "summary"]
    assert len(remote.worker.orders) == 1
    assert verify_output(remote.output(), path).problems == ()
    assert remote.woken == ["woken"]


def test_attempt_that_ends_while_the_next_run_looks_is_joined_and_not_made_again(
    remote: Remote, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = take()
    remote(path)
    shutil.rmtree(remote.media)
    next(remote.bucket.glob("outputs/far/*/metadata.json")).unlink()
    (manifest,) = remote.bucket.glob(f"outputs/far/*/*-1/{MANIFEST}")
    content = manifest.read_bytes()
    manifest.unlink()
    look = RemoteJob.find_standing

    def it_ends_right_after_the_look(job: RemoteJob, store: Store) -> Whole | None:
        found = look(job, store)
        manifest.write_bytes(content)
        return found

    monkeypatch.setattr(RemoteJob, "find_standing", it_ends_right_after_the_look)
    ran = remote(path)

    assert ran.code == 0
    assert [order.attempt for order in remote.worker.orders] == [1, 1]
    assert len(remote.attempts()) == 1
    assert verify_output(remote.output(), path).problems == ()


def test_remote_run_publishes_what_was_left_unpublished(remote: Remote, take: Take) -> None:
    path = take()
    remote(path)
    published = next(remote.bucket.glob("outputs/far/*/metadata.json"))
    text = published.read_text()
    published.unlink()
    shutil.rmtree(remote.media)

    remote(path)

    assert published.read_text() == text
    assert len(remote.worker.orders) == 1


def test_remote_run_with_force_orders_a_further_attempt(remote: Remote, take: Take) -> None:
    path = take()
    remote(path)

    remote(path, force=True)

    assert [order.attempt for order in remote.worker.orders] == [1, 2]
    published = json.loads(next(remote.bucket.glob("outputs/far/*/metadata.json")).read_text())
    assert published["attempt"].endswith("-2")


def test_remote_run_fetches_the_attempt_that_is_published(remote: Remote, take: Take) -> None:
    path = take()
    remote(path)
    remote(path, force=True)
    shutil.rmtree(remote.media)

    (found,) = remote(path).of("found")

    assert found["attempt"].endswith("-2")


def test_remote_run_with_damaged_stems_in_the_bucket_makes_them_again(
    remote: Remote, take: Take
) -> None:
    path = take()
    remote(path)
    shutil.rmtree(remote.media)
    next(remote.bucket.rglob("vocals.flac")).unlink()

    ran = remote(path)

    assert ran.code == 0
    assert [order.attempt for order in remote.worker.orders] == [1, 2]
    assert verify_output(remote.output(), path).problems == ()


def test_attempt_that_is_used_is_passed_over_at_once(remote: Remote, take: Take) -> None:
    remote.worker.says = [AttemptUsed("gone") for _ in range(5)]

    ran = remote(take())

    assert ran.code == 0
    assert [event["attempt"] for event in ran.of("ordered")] == [1, 2, 3, 4, 5, 6]


def test_attempt_of_a_worker_that_is_gone_is_passed_over(remote: Remote, take: Take) -> None:
    remote.worker.says = [ComputingCrashed("killed")]
    path = take()

    async def claim(order: Order) -> None:
        remote.worker.before = None
        remote.store.create(f"{order.output.prefix}/claim.json", b'{"process": "gone"}')

    remote.worker.before = claim
    ran = remote(path)

    assert ran.code == 0
    assert remote.attempts()[-1].endswith("-2")


def test_attempt_that_another_run_ordered_is_joined(remote: Remote, take: Take) -> None:
    path = take()
    remote.worker.says = [CorruptAudio("no matter")]
    remote(path)
    (first,) = remote.worker.orders
    claim = f"{first.output.prefix}/claim.json"
    remote.store.create(claim, b'{"begun_by": "the worker"}')
    remote.worker.ended.clear()  # it is still at it

    async def go_on(_: Order) -> None:
        remote.store.delete([claim])

    remote.worker.before = go_on

    remote(path)

    assert [order.attempt for order in remote.worker.orders] == [1, 1]


@pytest.mark.parametrize(
    "ends", [[ComputingCrashed("killed") for _ in range(3)], [CorruptAudio("no cable")], [None]]
)
def test_attempts_that_ended_in_an_earlier_run_say_nothing_about_this_one(
    remote: Remote, take: Take, ends: list[StemsetError | None]
) -> None:
    path = take()
    remote.worker.says = list(ends)
    first = remote(path)
    if first.code == 0:  # it lied once
        shutil.rmtree(remote.media)
        shutil.rmtree(remote.bucket / "outputs")

    ran = remote(path)

    assert ran.code == 0
    assert len(ran.of("ordered")) == len(remote.worker.ended) > len(ends)


def test_attempt_that_is_always_used_ends(remote: Remote, take: Take) -> None:
    remote.worker.says = [AttemptUsed("gone") for _ in range(999)]

    ran = remote(take())

    assert [event["code"] for event in ran.of("error")] == ["attempt_used"]


def test_attempt_that_fails_three_times_fails_the_recording(remote: Remote, take: Take) -> None:
    remote.worker.says = [ComputingCrashed("out of memory") for _ in range(3)]

    ran = remote(take(), take("b.wav", seed=2))

    (error,) = ran.of("error")
    assert (error["code"], error["message"]) == ("computing_crashed", "out of memory")
    assert error["job_id"] == remote.worker.orders[0].job_id
    assert [order.attempt for order in remote.worker.orders] == [1, 2, 3, 1]
    assert ran.code == 3


def test_attempt_that_is_interrupted_is_no_failed_one(remote: Remote, take: Take) -> None:
    remote.worker.says = [
        ComputingCrashed("1"),
        *(Interrupted("scaled in") for _ in range(4)),
        ComputingCrashed("2"),
    ]

    ran = remote(take())

    assert ran.code == 0
    assert len(remote.worker.orders) == 7


def test_attempt_that_is_interrupted_for_ever_ends(remote: Remote, take: Take) -> None:
    remote.worker.says = [Interrupted("scaled in") for _ in range(99)]

    ran = remote(take())

    assert [event["code"] for event in ran.of("error")] == ["interrupted"]
    assert ran.code == 5


def test_attempt_with_an_error_for_good_is_not_repeated(remote: Remote, take: Take) -> None:
    remote.worker.says = [CorruptAudio("take.wav cannot be decoded")]

    ran = remote(take())

    assert [event["code"] for event in ran.of("error")] == ["audio_corrupt"]
    assert len(remote.worker.orders) == 1
    assert ran.code == 1


def test_attempt_that_lies_is_made_again(remote: Remote, take: Take) -> None:
    remote.worker.says = [None]

    ran = remote(take())

    assert ran.code == 0
    assert [order.attempt for order in remote.worker.orders] == [1, 2]


@pytest.mark.parametrize("error", [WorkerUnreachable("gone"), ComputingCrashed("gone")])
def test_attempt_whose_worker_dies_after_the_manifest_is_whole(
    remote: Remote, take: Take, error: StemsetError
) -> None:
    async def finish_and_die(order: Order) -> None:
        await asyncio.to_thread(remote.worker.perform, order)
        remote.worker.raises = [error]

    remote.worker.before = finish_and_die
    path = take()

    ran = remote(path)

    assert ran.code == 0
    assert len(remote.worker.orders) == 1
    assert verify_output(remote.output(), path).problems == ()


def test_input_that_was_replaced_in_the_bucket_is_uploaded_again(
    remote: Remote, take: Take
) -> None:
    path = take()

    async def swap(order: Order) -> None:
        remote.worker.before = None
        size = order.input.bytes
        remote.store.write(order.input.key, bytes(size))

    remote.worker.before = swap

    ran = remote(path)

    assert ran.code == 0
    assert [order.attempt for order in remote.worker.orders] == [1, 2]


def test_input_that_is_never_right_fails_the_recording(remote: Remote, take: Take) -> None:
    remote.worker.says = [InputChanged("inputs/far/take.wav is another") for _ in range(2)]

    ran = remote(take())

    assert [event["code"] for event in ran.of("error")] == ["input_changed"]
    assert len(remote.worker.orders) == 2


def test_recordings_of_one_name_keep_both(remote: Remote, take: Take) -> None:
    ran = remote(take(seed=1), take(seed=2, folder="other"))

    assert ran.code == 0
    keys = {order.input.key for order in remote.worker.orders}
    assert len(keys) == len(list(remote.media.iterdir())) == 2


def test_output_name_that_another_recording_has_gets_more_digits(
    remote: Remote, take: Take
) -> None:
    path = take()
    sha256 = identify(path).sha256
    taken = f"outputs/far/take_{sha256[:8]}/metadata.json"
    remote.store.write(taken, b'{"recording": {"sha256": "another"}}')

    ran = remote(path)

    assert ran.code == 0
    assert remote.output().name == f"take_{sha256[:9]}"
    assert json.loads(remote.store.read(taken))["recording"]["sha256"] == "another"


def test_output_name_whose_attempts_are_of_another_recording_gets_more_digits(
    remote: Remote, take: Take
) -> None:
    remote(take(seed=1))
    manifest = next(remote.bucket.rglob("manifest.json")).read_bytes()
    path = take("b.wav", seed=2)
    sha256 = identify(path).sha256
    remote.store.write(f"outputs/far/b_{sha256[:8]}/3f2a9c01-1/manifest.json", manifest)

    remote(path)

    assert (remote.media / f"b_{sha256[:9]}").is_dir()


def test_bad_file_is_refused_before_anything_is_uploaded(
    remote: Remote, take: Take, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"<html>not found</html>")

    ran = remote(bad, take())

    assert [event["code"] for event in ran.of("error")] == ["audio_unsupported"]
    assert len(ran.of("complete")) == 1
    assert [path.name for path in remote.bucket.glob("inputs/far/*")] == ["take.wav"]
    assert ran.code == 3


def test_recording_given_twice_is_done_once(remote: Remote, take: Take) -> None:
    path = take()

    ran = remote(path, path)

    assert len(ran.of("complete")) == len(ran.of("skipped")) == 1
    assert len(remote.worker.orders) == 1


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (WorkerUnreachable("No answer."), "https://worker.example"),
        (ClockSkewed("10 min off."), "NTP"),
    ],
)
def test_worker_that_cannot_be_used_ends_the_batch_with_advice(
    remote: Remote, take: Take, error: StemsetError, advice: str
) -> None:
    remote.worker.raises = [error]

    ran = remote(*(take(f"{n}.wav", seed=n) for n in range(4)))

    (said,) = ran.of("error")
    assert said["code"] == error.code
    assert advice in said["message"]
    assert len(remote.worker.orders) == 1
    assert ran.code == 5
    assert ran.events[-1] == {"schema_version": 1, "event": "summary", "done": 0, "failed": 1}


def test_bucket_that_does_not_answer_ends_the_batch_with_advice(remote: Remote, take: Take) -> None:
    nowhere = StoreSettings("s3", "band", "http://127.0.0.1:9", retry_s=0.1)
    connection = replace(remote.connection, store=open_store(nowhere), bucket=nowhere)
    far = replace(remote, connection=connection)

    for changes in ({}, {"dry_run": True}):
        ran = far(take(), take("b.wav", seed=2), **changes)

        (error,) = ran.of("error")
        assert error["code"] == "storage_unavailable"
        assert "http://127.0.0.1:9" in error["message"]
        assert ("job_id" in error) == (not changes)
        assert (ran.code, ran.events[-1]["failed"]) == (5, 1)
    assert remote.worker.orders == []


def test_stems_that_stand_are_fetched_though_the_worker_is_gone(remote: Remote, take: Take) -> None:
    async def gone(order: Order) -> None:
        if len(remote.worker.orders) == 2:
            remote.worker.raises = [WorkerUnreachable(f"No answer to {order.job_id}.")]

    remote.worker.before = gone

    ran = remote(*(take(f"{n}.wav", seed=n) for n in range(4)))

    assert len(ran.of("complete")) == 1
    assert len(ran.of("error")) == 1
    assert ran.code == 5


def test_worker_has_the_next_order_while_stems_are_fetched(remote: Remote, take: Take) -> None:
    order_of_events: list[str] = []
    uploaded_ahead: list[int] = []

    async def before(order: Order) -> None:
        order_of_events.append(order.input.name)
        if order.input.name == "0.wav":
            uploaded_ahead.append(await _settled(remote))

    remote.worker.before = before

    ran = remote(*(take(f"{n}.wav", seed=n) for n in range(5)))

    assert ran.code == 0
    assert order_of_events == [f"{n}.wav" for n in range(5)]
    assert uploaded_ahead == [3]  # the one at work, and two ahead
    kinds = [(event["event"], Path(event["file"]).name) for event in ran.of("ordered", "complete")]
    assert kinds.index(("ordered", "1.wav")) < kinds.index(("complete", "0.wav"))


async def _settled(remote: Remote) -> int:
    """How many recordings are uploaded when nothing more is; at least three will be."""
    count, same = -1, 0
    async with asyncio.timeout(60):
        while count < 3 or same < 20:
            await asyncio.sleep(0.02)
            now = len(list(remote.bucket.glob("inputs/far/*")))
            count, same = now, same + 1 if now == count else 0
    return count


def test_worker_is_woken_once_while_the_first_input_is_uploaded(remote: Remote, take: Take) -> None:
    remote(*(take(f"{n}.wav", seed=n) for n in range(3)))

    assert remote.woken == ["woken"]


@pytest.mark.parametrize(("ahead_s", "woken"), [(60.0, ["woken"]), (-1.0, [])])
def test_worker_is_woken_when_a_long_upload_is_about_to_end(
    remote: Remote,
    take: Take,
    monkeypatch: pytest.MonkeyPatch,
    ahead_s: float,
    woken: list[str],
) -> None:
    monkeypatch.setattr("stemset.cli.remote.coordinator._SHORT_UPLOAD_BYTES", 0)
    monkeypatch.setattr("stemset.cli.remote.coordinator._WAKE_AHEAD_S", ahead_s)
    for name in ("_EVERY_S", "_SLOW_START_S"):
        monkeypatch.setattr(Meter, name, 0.0)

    remote(take())

    assert remote.woken == woken


@dataclass(frozen=True)
class NamedLinks:
    """Links that say what they are for."""

    input_key: str
    folder: AttemptFolder
    abandoned: ClassVar[list[str]] = []

    def make(self, wanted: Sequence[Wanted]) -> Sequence[str]:
        name = self.folder.name
        return [
            f"https://bucket.example/{each.method}/{each.name or self.input_key}?{name}"
            for each in wanted
        ]

    def abandon(self) -> None:
        self.abandoned.append(self.folder.name)


def test_attempt_with_links_that_failed_leaves_no_half_upload(remote: Remote, take: Take) -> None:
    NamedLinks.abandoned.clear()
    remote.worker.says[:] = [NetworkFailed("Out of memory.")]
    connection = replace(remote.connection, links=NamedLinks)

    replace(remote, connection=connection)(take())

    first, second = remote.worker.orders
    assert (first.attempt, second.attempt) == (1, 2)
    assert NamedLinks.abandoned == [f"{first.job_id[:8]}-1"]


def test_order_to_a_worker_without_keys_carries_links(remote: Remote, take: Take) -> None:
    connection = replace(remote.connection, links=NamedLinks)

    replace(remote, connection=connection)(take())

    (order,) = remote.worker.orders
    attempt = f"{order.job_id[:8]}-1"
    assert order.input.url == f"https://bucket.example/GET/inputs/far/take.wav?{attempt}"
    assert remote.worker.links == [[f"https://bucket.example/PUT/vocals.flac?{attempt}"]]


def test_run_on_this_machine_removes_what_a_download_left(remote: Remote, take: Take) -> None:
    path = take()
    left = remote.media / f".take_{identify(path).sha256[:8]}.download"
    left.mkdir(parents=True)
    (left / "vocals.flac.part").write_bytes(b"half")

    run_batch(remote.batch, [path], make_report(as_json=True))

    assert not left.exists()


def test_stems_that_another_run_is_fetching_are_left_to_it(remote: Remote, take: Take) -> None:
    path = take()
    remote(path)
    shutil.rmtree(remote.media)
    with making_output(remote.media, f"take_{identify(path).sha256[:8]}"):
        ran = remote(path)

    assert [event["code"] for event in ran.of("error")] == ["output_busy"]
    assert len(remote.worker.orders) == 1


def test_dry_run_says_what_would_be_done_and_touches_nothing(remote: Remote, take: Take) -> None:
    new, known = take("new.wav", seed=1), take("known.wav", seed=2)
    remote(known)
    shutil.rmtree(remote.media)
    before = sorted(remote.bucket.rglob("*"))

    ran = remote(new, known, dry_run=True)

    first, second = ran.of("planned")
    assert first["remote"] == {"key": "inputs/far/new.wav", "upload": True, "attempt": 1}
    assert second["remote"] == {"key": "inputs/far/known.wav", "upload": False, "attempt": None}
    assert sorted(remote.bucket.rglob("*")) == before
    assert len(remote.worker.orders) == 1
    assert not remote.media.exists()
    assert remote.woken == ["woken"]


def _on_this_machine(remote: Remote, root: Path) -> Batch:
    return replace(remote.batch, root=root)


def _without_metadata(output: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(output).items() if name != "metadata.json"}
