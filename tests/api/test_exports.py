"""Exports over HTTP: asked for, followed, downloaded, cancelled, kept, refused."""

import json
import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import httpx
import numpy as np
import psutil
import pytest
from library_service import await_that, make_output, make_recording
from numpy.typing import NDArray
from output_with_sound import (
    RATE_HZ,
    Samples,
    ask,
    download,
    export,
    make_sounding_output,
    noises,
    read_wav,
)
from service_client import RunningService, running_service

from stemset.api.exports import desk, shelf
from stemset.jobs.caller import Scope
from stemset.storage.settings import StoreSettings

PROGRAM = "stemset.audio.mixdown_process"
LONG_S = 150.0


@pytest.fixture(scope="module")
def stems() -> dict[str, Samples]:
    return noises()


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def total(stems: dict[str, Samples]) -> NDArray[np.int64]:
    """What the stems add up to."""
    return np.stack(list(stems.values())).sum(axis=0, dtype=np.int64)


def shelf_of(running: RunningService) -> Path:
    return running.service.scratch / desk.FOLDER


def mixing_processes() -> list[psutil.Process]:
    """Processes of this one that mix."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # or a zombie
            if PROGRAM in process.cmdline():
                found.append(process)
    return found


def begin_long(running: RunningService, **mix: object) -> tuple[str, str]:
    """An export that takes a while. Returns the output's id and its own, once it is at work."""
    output_id = make_sounding_output(running, noises(LONG_S), name="rehearsal", number=9)
    export_id = ask(running, output_id, speed=0.5, **mix).json()["export_id"]
    await_that(lambda: running.client.get(f"/api/exports/{export_id}").json()["progress"] > 0)
    return output_id, export_id


def test_export_of_all_stems_is_their_sum_in_the_last_bit(running: RunningService, stems):
    view = export(running, make_sounding_output(running, stems))

    data = download(running, view).content
    assert np.array_equal(read_wav(data), total(stems))
    assert view["bytes"] == len(data)
    assert (view["progress"], view["duration_s"], view["lowered_db"]) == (1.0, 2.0, 0.0)


def test_export_without_a_stem_is_the_sum_of_the_others(running: RunningService, stems):
    output_id = make_sounding_output(running, stems)

    view = export(running, output_id, stems={"drums": {}, "bass": {}})

    mixed = read_wav(download(running, view).content)
    assert np.array_equal(mixed, stems["drums"] + stems["bass"])
    assert view["filename"] == "practice – without vocals.wav"


def test_export_of_a_range_is_exact_to_the_frame(
    running: RunningService, stems: dict[str, Samples]
):
    output_id = make_sounding_output(running, stems)

    view = export(running, output_id, start_s=12_345 / RATE_HZ, end_s=67_891 / RATE_HZ)

    mixed = read_wav(download(running, view).content)
    assert np.array_equal(mixed, total(stems)[:, 12_345:67_891])


def test_export_is_saved_under_its_name_and_served_in_ranges(running: RunningService, stems):
    view = export(running, make_sounding_output(running, stems), format="mp3", bitrate=192)
    url = running.url + view["url"]

    whole = httpx.get(url)
    part = httpx.get(url, headers={"range": "bytes=100-199"})
    head = httpx.head(url)

    saved_as = whole.headers["content-disposition"].partition("filename*=UTF-8''")[2]
    assert unquote(saved_as) == "practice – mix.mp3"
    assert whole.headers["content-type"] == "audio/mpeg"
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert head.headers["content-length"] == str(len(whole.content)) == str(view["bytes"])
    assert error_of(httpx.get(url, headers={"range": "bytes=99999999-"}))[0] == 416


def test_export_asked_for_again_is_the_same_one(running: RunningService, stems):
    output_id = make_sounding_output(running, stems)
    first = export(running, output_id)
    made_at = (shelf_of(running) / first["export_id"] / "mix.wav").stat().st_mtime_ns

    again = ask(running, output_id).json()

    assert (again["export_id"], again["state"]) == (first["export_id"], "ready")
    assert (shelf_of(running) / first["export_id"] / "mix.wav").stat().st_mtime_ns == made_at
    assert ask(running, output_id, master_db=-1).json()["export_id"] != first["export_id"]


def test_export_that_is_too_loud_is_lowered_as_a_whole(running: RunningService, stems):
    output_id = make_sounding_output(running, stems)

    view = export(running, output_id, master_db=12)

    mixed = read_wav(download(running, view).content).astype(float)
    heard = total(stems) * 10 ** ((12 - view["lowered_db"]) / 20)
    assert view["lowered_db"] > 3
    assert 32766 <= np.abs(mixed).max() <= 32768
    assert np.abs(mixed - heard).max() < 0.002 * 32768


def test_export_tells_how_far_it_is(running: RunningService):
    _, export_id = begin_long(running)

    first = running.client.get(f"/api/exports/{export_id}").json()
    await_that(lambda: running.client.get(f"/api/exports/{export_id}").json()["eta_s"] is not None)
    then = running.client.get(f"/api/exports/{export_id}").json()

    assert first["state"] == then["state"] == "running"
    assert 0 < first["progress"] <= then["progress"] < 1
    assert then["eta_s"] > 0
    assert then["url"] is None
    running.client.delete(f"/api/exports/{export_id}")


def test_export_that_is_cancelled_leaves_no_process_and_no_file(running: RunningService):
    _, export_id = begin_long(running)
    assert mixing_processes()

    answer = running.client.delete(f"/api/exports/{export_id}")

    assert answer.status_code == 204
    assert mixing_processes() == []
    assert list(shelf_of(running).iterdir()) == []
    assert error_of(running.client.get(f"/api/exports/{export_id}")) == (404, "export_not_found")


def test_export_that_nobody_asks_for_is_given_up(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(desk, "_UNASKED_S", 0.5)
    begin_long(running)

    await_that(lambda: mixing_processes() == [])

    await_that(lambda: list(shelf_of(running).iterdir()) == [])


def test_export_whose_process_is_killed_can_be_asked_for_again(running: RunningService):
    output_id, export_id = begin_long(running)
    for process in mixing_processes():
        process.kill()

    def state() -> str:
        return running.client.get(f"/api/exports/{export_id}").json()["state"]

    await_that(lambda: state() == "error")
    error = running.client.get(f"/api/exports/{export_id}").json()["error"]
    assert (error["code"], error["retryable"]) == ("computing_crashed", True)
    again = ask(running, output_id, speed=0.5).json()
    assert (again["export_id"], again["error"]) == (export_id, None)
    running.client.delete(f"/api/exports/{export_id}")


@pytest.mark.alone
def test_service_answers_while_it_exports(running: RunningService):
    begin_long(running)

    spent = []
    for _ in range(50):
        begin_s = time.perf_counter()
        running.client.get("/api/outputs")
        spent.append(time.perf_counter() - begin_s)

    assert mixing_processes()
    assert sorted(spent)[45] < 0.25


def test_exports_beyond_two_wait_for_their_turn(running: RunningService):
    output_id, first = begin_long(running)
    others = [
        ask(running, output_id, speed=0.5, master_db=-number).json()["export_id"]
        for number in (1, 2)
    ]

    def states() -> list[str]:
        return [
            running.client.get(f"/api/exports/{each}").json()["state"] for each in (first, *others)
        ]

    await_that(lambda: states() == ["running", "running", "queued"])
    running.client.delete(f"/api/exports/{first}")
    await_that(lambda: len(mixing_processes()) == 2)
    for each in others:
        assert running.client.delete(f"/api/exports/{each}").status_code == 204
    assert mixing_processes() == []


def test_exports_beyond_the_limit_are_put_off(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(desk, "_OPEN", 1)
    output_id, export_id = begin_long(running)

    answer = ask(running, output_id, master_db=-3)

    assert error_of(answer) == (503, "service_busy")
    assert "retry-after" in answer.headers
    running.client.delete(f"/api/exports/{export_id}")


@pytest.mark.parametrize(
    "mix",
    [
        {"stems": {}},
        {"stems": {"vocals": {"gain_db": 25}}},
        {"stems": {"vocals": {"gain_db": -121}}},
        {"stems": {"vocals": {"pan": 1.01}}},
        {"stems": {"vocals": {"gain_db": "loud"}}},
        {"stems": {f"stem{number}": {} for number in range(65)}},
        {"speed": 0.49},
        {"speed": 1.51},
        {"semitones": 7},
        {"start_s": -1},
        {"format": "ogg"},
        {"depth": "8"},
        {"bitrate": 0},
        {"master_db": 1e308},
    ],
    ids=json.dumps,
)
def test_request_out_of_bounds_is_refused(running: RunningService, stems, mix):
    answer = ask(running, make_sounding_output(running, stems), **mix)

    assert error_of(answer) == (422, "request_invalid")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_number_that_is_none_is_refused(running: RunningService, stems, number):
    output_id = make_sounding_output(running, stems)
    body = f'{{"stems": {{"vocals": {{"gain_db": {number}}}}}, "format": "wav"}}'

    answer = running.client.post(
        f"/api/outputs/{output_id}/exports",
        content=body,
        headers={"content-type": "application/json"},
    )

    assert error_of(answer) == (422, "request_invalid")


@pytest.mark.parametrize(
    ("mix", "says"),
    [
        ({"stems": {"guitar": {}}}, "no stem 'guitar'; there are bass, drums, vocals"),
        ({"start_s": 1.0, "end_s": 1.0}, "not after its start"),
        ({"start_s": 1.5, "end_s": 1.0}, "not after its start"),
        ({"end_s": 2.1}, "ends at 2 s"),
        ({"start_s": 2.0}, "ends at 2 s"),
    ],
    ids=str,
)
def test_mix_of_what_is_not_there_is_refused(running: RunningService, stems, mix, says):
    answer = ask(running, make_sounding_output(running, stems), **mix)

    assert error_of(answer) == (422, "mix_invalid")
    assert says in answer.json()["error"]["detail"]


@pytest.mark.parametrize(
    "choice", [{"format": "mp3", "bitrate": 123}, {"format": "flac", "depth": "32"}], ids=str
)
def test_file_that_no_format_holds_is_refused(running: RunningService, stems, choice):
    answer = ask(running, make_sounding_output(running, stems), **choice)

    assert error_of(answer) == (422, "format_unsupported")


def test_export_of_an_output_that_is_none_is_refused(running: RunningService):
    assert error_of(ask(running, "0" * 32)) == (404, "output_not_found")


def test_export_of_an_output_that_says_too_little_is_refused(running: RunningService):
    _, output_id = make_output(running, make_recording(running))

    answer = ask(running, output_id, stems={"bass": {}})

    assert error_of(answer) == (500, "output_invalid")


def test_exports_are_of_those_who_may_see_the_output(guarded: RunningService, stems):
    with guarded.caller(guarded.make_token(Scope.ADMIN)) as admin:
        made = make_export_as(guarded, admin, stems)
    path = f"/api/exports/{made['export_id']}"

    with guarded.caller(guarded.make_token(Scope.READ, "h4n")) as reader:
        assert reader.get(path).json()["state"] == "ready"
    with guarded.caller(guarded.make_token(Scope.READ, "songs")) as stranger:
        assert error_of(stranger.get(path)) == (404, "export_not_found")
        assert error_of(stranger.delete(path)) == (404, "export_not_found")
    assert error_of(httpx.get(guarded.url + path)) == (401, "unauthenticated")
    assert httpx.get(guarded.url + made["url"]).status_code == 200


def make_export_as(running: RunningService, client: httpx.Client, stems) -> dict:
    as_client = replace(running, client=client)
    return export(as_client, make_sounding_output(as_client, stems))


def test_address_that_was_changed_is_refused(running: RunningService, stems):
    view = export(running, make_sounding_output(running, stems))
    other = view["url"].replace(view["export_id"], "0" * 32)

    assert error_of(httpx.get(running.url + other)) == (403, "forbidden")
    assert error_of(httpx.get(running.url + view["url"][:-1] + "!")) == (422, "request_invalid")


def test_housekeeping_removes_what_is_a_day_old_and_what_crashes_left(
    running: RunningService, stems
):
    output_id = make_sounding_output(running, stems)
    old, young = (export(running, output_id, master_db=-each) for each in (1, 2))
    folder = shelf_of(running)
    facts = folder / old["export_id"] / "export.json"
    yesterday_s = (datetime.now(UTC) - timedelta(days=1, seconds=1)).timestamp()
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "made_at": yesterday_s}))
    (left := folder / ".0123-abcd").mkdir()
    os.utime(left, (yesterday_s, yesterday_s))

    removed = running.run(lambda: desk.collect(running.service))

    assert removed == 1
    assert [each.name for each in folder.iterdir()] == [young["export_id"]]


def test_housekeeping_removes_exports_of_an_output_that_was_deleted(running: RunningService, stems):
    output_id = make_sounding_output(running, stems)
    view = export(running, output_id)
    running.client.delete(f"/api/outputs/{output_id}")

    assert running.run(lambda: desk.collect(running.service)) == 1

    assert shelf.find(shelf_of(running), view["export_id"]) is None
    assert error_of(httpx.get(running.url + view["url"])) == (404, "export_not_found")


def test_export_that_the_disk_has_no_room_for_fails(
    running: RunningService, stems, monkeypatch: pytest.MonkeyPatch
):
    usage = type("usage", (), {"total": 1 << 40, "used": 0, "free": 1 << 20})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    output_id = make_sounding_output(running, stems)

    export_id = ask(running, output_id).json()["export_id"]

    await_that(lambda: running.client.get(f"/api/exports/{export_id}").json()["state"] == "error")
    error = running.client.get(f"/api/exports/{export_id}").json()["error"]
    assert error["code"] == "no_space"


@pytest.mark.s3
def test_export_from_a_bucket_fetches_its_stems(
    tmp_path: Path, database_conninfo: str, bucket_settings: StoreSettings, stems
):
    with running_service(tmp_path, database_conninfo, store_settings=bucket_settings) as running:
        view = export(running, make_sounding_output(running, stems))
        mixed = read_wav(download(running, view).content)

        assert np.array_equal(mixed, total(stems))
        assert sorted(each.name for each in (shelf_of(running) / view["export_id"]).iterdir()) == [
            "export.json",
            "mix.wav",
        ]
