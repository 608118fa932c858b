"""Uploads on the page: dropped or chosen, followed, broken off, gone on with, refused."""

import hashlib
import re
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import CDPSession, Dialog, FileChooser, Locator, Page, Request, expect
from running_parts import wait_for
from service_deployment import ServiceDeployment
from watched_pages import DESKTOP, PHONE, HeldAnswers, Screen, Theme, drop, wait_painted
from web_service import PROFILE

OpenPage = Callable[..., Page]

PART = re.compile(r"/api/uploads/[^/]+/parts/\d+$")
CUT_OFF = r"/api/|/icon\.svg|Failed to load resource"
PART_BYTES = 8 << 20
SLOW = 4e6
"""Bytes per second of a line that leaves time to look."""
SOON_MS = 30_000


@pytest.fixture(scope="module")
def long_take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of four parts, the last one shorter."""
    return write_take(tmp_path_factory.mktemp("takes") / "practice.wav", 3.5 * PART_BYTES)


def write_take(path: Path, size: float, seed: int = 0) -> Path:
    samples = np.random.default_rng(seed).integers(-3000, 3000, int(size) // 2, np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples[: samples.size // 2 * 2].tobytes())
    return path


def choose(page: Page, *files: Path, button: str = "Choose recordings") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chosen: FileChooser = chooser.value
    chosen.set_files(list(files))


def drop_early(page: Page, path: Path) -> None:
    """Drop a file as soon as the page can take it."""
    expect(page.get_by_role("button", name="Choose recordings")).to_be_visible()
    wait_painted(page)
    drop(page, path)


def row(page: Page, name: str) -> Locator:
    region = page.get_by_role("region", name="Add recordings")
    return region.get_by_role("listitem").filter(has_text=name)


def slow_down(page: Page, bytes_per_second: float) -> CDPSession:
    """Make the line of a page slow, or with 0 as it is."""
    session = page.context.new_cdp_session(page)
    limits = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second or -1}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {"offline": False, **limits})
    return session


def parts_put(page: Page) -> list[int]:
    """Numbers of the parts that a page begins to send from now on."""
    put: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PUT" and PART.search(request.url):
            put.append(int(request.url.rsplit("/", 1)[1]))

    page.on("request", note)
    return put


def open_uploads(service: ServiceDeployment) -> list[dict[str, Any]]:
    return service.ask("GET", "/api/uploads").json()


def await_parts(service: ServiceDeployment, count: int) -> list[int]:
    """Wait until the service has so many parts of the only upload; gives their numbers."""

    def is_there() -> bool:
        return any(len(each["received"]) >= count for each in open_uploads(service))

    wait_for(is_there, f"{count} parts are there")
    return open_uploads(service)[0]["received"]


def assert_kept(service: ServiceDeployment, file: Path) -> None:
    """The service has a file's bytes, all of them, and a job for it."""
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    (recording,) = service.ask("GET", "/api/recordings").json()["recordings"]
    assert recording["recording_id"] == sha256
    (job,) = service.ask("GET", "/api/jobs").json()["jobs"]
    assert (job["recording_id"], job["profile_name"]) == (sha256, PROFILE)


def test_song_that_is_dropped_is_sent_and_given_to_a_job(
    web_service: ServiceDeployment, open_page: OpenPage, example: Path
):
    page = open_page(web_service.url)
    expect(page.get_by_role("button", name="Choose recordings")).to_be_enabled()
    drop(page, example, kinds=("dragEnter", "dragOver"))
    expect(page.get_by_text("Drop to add")).to_be_visible()
    drop(page, example)

    expect(page.get_by_text("Drop to add")).to_be_hidden()
    expect(row(page, example.name)).to_contain_text("Sent, and given to a job.", timeout=SOON_MS)
    assert_kept(web_service, example)
    expect(row(page, example.name)).to_be_hidden(timeout=SOON_MS)


@pytest.mark.parametrize("late", ["profiles", "strategies", "models"])
def test_song_that_is_dropped_early_waits_for_what_can_be_made(
    web_service: ServiceDeployment, open_page: OpenPage, example: Path, late: str
):
    page = open_page(web_service.url)
    answers = HeldAnswers(page, f"/api/{late}")
    page.reload()
    drop_early(page, example)

    expect(page.get_by_text("1 file is added as soon as sending can begin.")).to_be_visible()
    answers.let_go()
    expect(row(page, example.name)).to_contain_text("Sent, and given to a job.", timeout=SOON_MS)
    expect(page.get_by_text("is added as soon as")).to_be_hidden()
    assert_kept(web_service, example)


def test_folder_that_is_dropped_gives_its_recordings_and_names_what_else_was_in_it(
    web_service: ServiceDeployment, open_page: OpenPage, tmp_path: Path
):
    for number in range(130):
        take = tmp_path / "card" / f"day {number % 2}" / f"take {number}.wav"
        take.parent.mkdir(parents=True, exist_ok=True)
        take.write_bytes(b"some" * (number + 1))
    (tmp_path / "card" / "notes.txt").write_text("bring picks")
    (tmp_path / "card" / ".DS_Store").write_text("hidden")
    page = open_page(web_service.url, expect=CUT_OFF)
    expect(page.get_by_role("button", name="Choose recordings")).to_be_enabled()
    page.context.set_offline(True)
    drop(page, tmp_path / "card")

    expect(page.get_by_text("130 files:").first).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("Left out, being no recordings: notes.txt.")).to_be_visible()


def test_speed_and_time_left_are_shown_while_a_file_is_sent(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url)
    slow_down(page, SLOW)
    choose(page, long_take)

    expect(row(page, "practice.wav")).to_contain_text(
        re.compile(r"Sent [1-9][0-9]? % · [0-9.]+ MB/s · (about .*|a few seconds) left"),
        timeout=SOON_MS,
    )
    bar = row(page, "practice.wav").get_by_role("progressbar", name="Progress of practice.wav")
    expect(bar).to_be_visible()
    slow_down(page, 0)
    expect(row(page, "practice.wav")).to_contain_text("given to a job", timeout=SOON_MS)
    assert_kept(web_service, long_take)


def test_upload_goes_on_by_itself_after_the_service_was_killed(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url, expect=CUT_OFF)
    put = parts_put(page)
    slow_down(page, SLOW)
    choose(page, long_take)
    received = await_parts(web_service, 2)
    web_service.parts[-1].kill()
    expect(row(page, "practice.wav")).to_contain_text(
        "The service does not answer", timeout=SOON_MS
    )
    before = len(put)
    slow_down(page, 0)
    web_service.serve()

    expect(row(page, "practice.wav")).to_contain_text("given to a job", timeout=SOON_MS)
    assert_kept(web_service, long_take)
    assert not set(received) & set(put[before:])


def test_upload_goes_on_after_a_reload_with_the_parts_that_are_missing(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url, expect=CUT_OFF)
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    slow_down(page, SLOW)
    choose(page, long_take)
    await_parts(web_service, 2)
    page.reload()
    slow_down(page, 0)
    assert asked == ["beforeunload"]
    expect(row(page, "practice.wav")).to_contain_text(
        "Choose the file again to go on", timeout=SOON_MS
    )
    received = await_parts(web_service, 2)
    put = parts_put(page)
    choose(page, long_take, button="Choose again practice.wav")

    expect(row(page, "practice.wav")).to_contain_text("given to a job", timeout=SOON_MS)
    assert sorted(put) == sorted({1, 2, 3, 4} - set(received))
    assert_kept(web_service, long_take)


def test_file_that_is_dropped_early_goes_on_with_what_was_broken_off(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url, expect=CUT_OFF)
    page.on("dialog", lambda dialog: dialog.accept())
    slow_down(page, SLOW)
    choose(page, long_take)
    await_parts(web_service, 2)
    answers = HeldAnswers(page, "/api/uploads")
    page.reload()
    slow_down(page, 0)
    received = await_parts(web_service, 2)
    put = parts_put(page)
    drop_early(page, long_take)

    expect(page.get_by_text("1 file is added as soon as sending can begin.")).to_be_visible()
    answers.let_go()
    expect(row(page, "practice.wav")).to_contain_text("given to a job", timeout=SOON_MS)
    assert sorted(put) == sorted({1, 2, 3, 4} - set(received))
    assert_kept(web_service, long_take)


def test_another_file_is_not_taken_for_the_one_that_was_broken_off(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path, example: Path
):
    begin = {"filename": long_take.name, "size_bytes": long_take.stat().st_size, "mark": "mine"}
    web_service.ask("POST", "/api/uploads", json=begin)
    page = open_page(web_service.url)
    choose(page, example, button="Choose again practice.wav")
    expect(page.get_by_text("That is another file: practice.wav has 29 MB")).to_be_visible()
    row(page, "practice.wav").get_by_role("button", name="Remove practice.wav").click()

    expect(row(page, "practice.wav")).to_have_count(0)
    assert open_uploads(web_service) == []


def test_upload_waits_while_offline_and_goes_on_by_itself(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url, expect=CUT_OFF)
    expect(page.get_by_role("button", name="Choose recordings")).to_be_enabled()
    page.wait_for_load_state("load")
    page.context.set_offline(True)
    choose(page, long_take)
    expect(row(page, "practice.wav")).to_contain_text(
        "You are offline. It goes on by itself", timeout=SOON_MS
    )
    page.context.set_offline(False)

    expect(row(page, "practice.wav")).to_contain_text("given to a job", timeout=SOON_MS)
    assert_kept(web_service, long_take)


def test_paused_upload_sends_nothing_until_it_is_resumed(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url)
    slow_down(page, SLOW)
    choose(page, long_take)
    await_parts(web_service, 2)
    row(page, "practice.wav").get_by_role("button", name="Pause practice.wav").click()
    expect(row(page, "practice.wav")).to_contain_text(re.compile(r"Paused at [1-9][0-9]? %"))
    received = await_parts(web_service, 2)
    put = parts_put(page)
    page.wait_for_timeout(1000)  # nothing tells of what does not happen
    assert put == []
    slow_down(page, 0)
    row(page, "practice.wav").get_by_role("button", name="Resume practice.wav").click()

    expect(row(page, "practice.wav")).to_contain_text("given to a job", timeout=SOON_MS)
    assert not set(put) & set(received)
    assert_kept(web_service, long_take)


def test_cancelled_upload_is_removed_at_the_service(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url)
    slow_down(page, SLOW)
    choose(page, long_take)
    await_parts(web_service, 1)
    row(page, "practice.wav").get_by_role("button", name="Cancel practice.wav").click()

    expect(row(page, "practice.wav")).to_have_count(0)
    wait_for(lambda: open_uploads(web_service) == [], "the upload is removed")
    assert web_service.ask("GET", "/api/recordings").json()["recordings"] == []


def test_what_cannot_be_taken_is_said_with_what_to_do(
    web_service: ServiceDeployment, open_page: OpenPage, tmp_path: Path, example: Path
):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "letter.wav").write_text("This is no recording at all. " * 100)
    (tmp_path / "setlist.txt").write_text("1. Blues in A " * 100)
    page = open_page(web_service.url, expect=CUT_OFF)
    choose(page, *(tmp_path / name for name in ("empty.wav", "letter.wav", "setlist.txt")), example)

    expect(row(page, "empty.wav")).to_contain_text("Not taken. It is empty")
    expect(row(page, "letter.wav")).to_contain_text("It is no audio or video file", timeout=SOON_MS)
    expect(row(page, "letter.wav")).to_contain_text("export it as WAV, FLAC or MP3")
    expect(row(page, "setlist.txt")).to_contain_text(
        "It is no audio or video file", timeout=SOON_MS
    )
    expect(row(page, example.name)).to_contain_text("given to a job", timeout=SOON_MS)
    assert_kept(web_service, example)
    row(page, "empty.wav").get_by_role("button", name="Take empty.wav off the list").click()
    expect(row(page, "empty.wav")).to_have_count(0)


def test_file_that_is_chosen_twice_is_sent_once_and_one_that_is_here_not_at_all(
    web_service: ServiceDeployment, open_page: OpenPage, long_take: Path
):
    page = open_page(web_service.url)
    slow_down(page, SLOW)
    choose(page, long_take)
    await_parts(web_service, 1)
    choose(page, long_take)
    expect(page.get_by_text("1 file is in the list already")).to_be_visible()
    slow_down(page, 0)
    expect(row(page, "practice.wav")).to_contain_text("given to a job", timeout=SOON_MS)
    expect(row(page, "practice.wav")).to_have_count(0, timeout=SOON_MS)
    put = parts_put(page)
    choose(page, long_take)

    expect(row(page, "practice.wav")).to_contain_text(
        "It was here already, and so is its job", timeout=SOON_MS
    )
    assert put == []
    assert_kept(web_service, long_take)


def test_profile_says_what_it_makes_and_is_remembered(
    shared_service: ServiceDeployment, open_page: OpenPage
):
    page = open_page(shared_service.url)
    region = page.get_by_role("region", name="Add recordings")
    expect(region).to_contain_text("Makes vocals and accompaniment, as Opus files")
    region.get_by_label("What to make").select_option("lossless")
    expect(region).to_contain_text("as FLAC files, without loss")
    page.reload()
    expect(region.get_by_label("What to make")).to_have_value("lossless")
    expect(region).to_contain_text("as FLAC files, without loss")


def test_files_are_chosen_with_the_keyboard_alone(
    shared_service: ServiceDeployment, open_page: OpenPage
):
    page = open_page(shared_service.url)
    button = page.get_by_role("button", name="Choose recordings")
    expect(button).to_be_enabled()
    with page.expect_file_chooser() as chooser:
        # Listens before the first key: a chooser is caught from some time after that on.
        while not button.evaluate("(button) => button === document.activeElement"):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    assert chooser.value.is_multiple()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_view_has_no_barriers_and_fits_its_screen(
    web_service: ServiceDeployment,
    open_page: OpenPage,
    screenshot: Callable[[Page, str], Path],
    axe: Callable[[Page], list[str]],
    tmp_path: Path,
    long_take: Path,
    screen: Screen,
    theme: Theme,
):
    begin = {"filename": "yesterday, all of it.wav", "size_bytes": 3 * PART_BYTES, "mark": "mine"}
    begun = web_service.ask("POST", "/api/uploads", json=begin).json()
    part = f"/api/uploads/{begun['upload_id']}/parts/1"
    kind = {"content-type": "application/octet-stream"}
    web_service.ask("PUT", part, content=bytes(PART_BYTES), headers=kind)
    (tmp_path / "empty.wav").touch()
    other = write_take(
        tmp_path / "a song with a very long name, second take, louder.wav", 2 * PART_BYTES, 1
    )
    page = open_page(web_service.url, screen=screen, theme=theme, expect=CUT_OFF)
    slow_down(page, SLOW / 4)
    choose(page, long_take, tmp_path / "empty.wav", other)
    page.get_by_role("button", name="Pause a song").click()

    expect(row(page, "a song")).to_contain_text("Paused")
    expect(row(page, "practice.wav")).to_contain_text("left", timeout=SOON_MS)
    hint = page.get_by_text("or drop files and folders anywhere on this page")
    expect(hint).to_be_visible(visible=not screen.is_phone)
    assert page.evaluate("document.documentElement.scrollWidth") == screen.width
    screenshot(page, f"upload-{'phone' if screen.is_phone else 'desktop'}-{theme}")
    assert axe(page) == []
