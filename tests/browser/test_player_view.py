"""The player's page: what a hand, a key and a link do to it, and how it looks."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from playwright.sync_api import Locator, Page, Route, expect
from running_parts import wait_for
from watched_pages import DESKTOP, PHONE, Screen, Theme, wait_painted
from web_service import ReadyOutput

OpenPage = Callable[..., Page]

LENGTH_S = 10.87
PEAKS = re.compile(r"\.peaks-(\d+)\.dat")
STEM_FILES = re.compile(r"/(vocals|accompaniment)\.opus\?")
EXPORT_MS = 60_000
LOST_MS = 30_000


@pytest.fixture
def open_player(open_page: OpenPage, ready_output: ReadyOutput) -> OpenPage:
    """Opens the player of the example song and waits until it can play."""

    def opened(query: str = "", **more: object) -> Page:
        page = open_page(ready_output.page_url + query, **more)
        expect(play_of(page)).to_be_enabled()
        return page

    return opened


def play_of(page: Page) -> Locator:
    return page.get_by_role("button", name="Play", exact=True)


def pause_of(page: Page) -> Locator:
    return page.get_by_role("button", name="Pause", exact=True)


def position_of(page: Page) -> float:
    """Where the recording stands, in seconds."""
    return float(page.get_by_role("slider", name="Position in the recording").input_value())


def wait_position(page: Page, condition: str) -> None:
    """Wait until JavaScript's ``at``, the position in seconds, fulfils a condition."""
    page.wait_for_function(
        f"() => {{ const at = Number(document.querySelector('.seek').value); return {condition}; }}"
    )


def wave_of(page: Page, stem: str) -> Locator:
    """A stem's waveform."""
    return page.locator(f"[data-stem={stem}] [data-lane=wave]")


def loudest_between(page: Page, stem: str, start: float, end: float) -> float:
    """How much of its lane's height a waveform fills between two shares of its width."""
    return (
        wave_of(page, stem)
        .locator("canvas")
        .evaluate(
            """(canvas, [start, end]) => {
            const from = Math.round(start * canvas.width);
            const width = Math.round(end * canvas.width) - from;
            const copy = new OffscreenCanvas(canvas.width, canvas.height);
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(from, 0, width, canvas.height);
            let least = 1;
            let most = 0;
            for (let y = 0; y < canvas.height; y += 1) {
                for (let x = 0; x < width; x += 1) {
                    if (data[4 * (y * width + x) + 3] > 128) {
                        least = Math.min(least, y / canvas.height);
                        most = Math.max(most, (y + 1) / canvas.height);
                    }
                }
            }
            return most - least;
        }""",
            [start, end],
        )
    )


def wait_drawn(page: Page, stem: str) -> None:
    """Wait until a stem's waveform has come, fine as it will be."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function(
        """(stem) => {
            const canvas = document.querySelector(`[data-stem=${stem}] canvas`);
            return canvas.width === Math.round(canvas.clientWidth * devicePixelRatio);
        }""",
        arg=stem,
    )
    wait_painted(page)


def drag(page: Page, lane: Locator, start: float, end: float) -> None:
    """Drag with the mouse between two shares of a lane's width."""
    box = lane.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=8)
    page.mouse.up()


def kept_of(page: Page) -> dict[str, object]:
    """What the browser keeps of the recording."""
    return json.loads(
        page.evaluate(
            "() => localStorage.getItem(Object.keys(localStorage)"
            ".find((key) => key.startsWith('stemset.player.')))"
        )
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_player_looks_good_and_bars_nobody(
    open_player: OpenPage,
    screenshot: Callable[[Page, str], Path],
    axe: Callable[[Page], list[str]],
    theme: Theme,
    screen: Screen,
):
    page = open_player(
        "?t=4.2&mix=vocals:0,accompaniment:-6:m&loop=3-7", theme=theme, screen=screen
    )
    wait_drawn(page, "vocals")
    screenshot(page, f"player-{'phone' if screen.is_phone else 'desktop'}-{theme}")
    found = axe(page)
    for sheet in ("More controls", "Keys and gestures", "Export mix"):
        page.get_by_role("button", name=sheet).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found += axe(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth") == screen.width


def test_every_control_on_a_phone_is_large_enough_to_touch(open_player: OpenPage):
    page = open_player(screen=PHONE)
    small = page.evaluate(
        """() => [...document.querySelectorAll(".player button, .player a, .player input")]
            .map((each) => [each.getAttribute("aria-label") ?? each.textContent,
                            each.getBoundingClientRect()])
            .filter(([, { width, height }]) => width > 0 && (width < 44 || height < 44))
            .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)"""
    )
    assert small == []


def test_transport_stays_in_the_window_of_a_phone(open_player: OpenPage):
    page = open_player(screen=PHONE)
    expect(play_of(page)).to_be_in_viewport()
    page.get_by_role("heading", name="About these stems").scroll_into_view_if_needed()
    expect(play_of(page)).to_be_in_viewport()


def test_title_says_what_is_open(open_player: OpenPage):
    page = open_player()
    expect(page.get_by_role("heading", level=1)).to_have_text("example")
    expect(page).to_have_title("example · Stemset")
    expect(page.locator(".player-title")).to_contain_text("0:10 · OPUS · band")


def test_waveforms_show_where_the_stems_sound(open_player: OpenPage):
    page = open_player()
    wait_drawn(page, "vocals")
    # Nobody sings in the first two seconds of the song.
    assert loudest_between(page, "vocals", 0.01, 0.18) < 0.05
    assert loudest_between(page, "vocals", 0.3, 0.7) > 0.5
    assert loudest_between(page, "accompaniment", 0.05, 0.18) > 0.3


def test_zooming_draws_and_reads_only_what_is_seen(open_player: OpenPage):
    page = open_player()
    wait_drawn(page, "vocals")
    canvas = wave_of(page, "vocals").locator("canvas")
    before = canvas.evaluate("(canvas) => canvas.width")
    page.keyboard.press("z")
    page.keyboard.press("z")
    # The first half of what was the first quarter is silent as well.
    page.wait_for_load_state("networkidle")
    assert canvas.evaluate("(canvas) => canvas.width") == before
    assert loudest_between(page, "vocals", 0.02, 0.4) < 0.05
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".overview-view")).to_have_css(
        "width", page.locator("[data-lane=overview]").evaluate("(e) => `${e.clientWidth}px`")
    )


def width_shown(page: Page) -> float:
    """How much of the recording is in the view, as a share."""
    return page.locator(".overview-view").evaluate(
        "(shown) => shown.offsetWidth / shown.parentElement.clientWidth"
    )


def view_begin(page: Page) -> int:
    """Where the view begins, in pixels of the overview."""
    return page.locator(".overview-view").evaluate("(shown) => shown.offsetLeft")


def test_wheel_with_ctrl_zooms_around_the_pointer(open_player: OpenPage):
    page = open_player()
    wave_of(page, "vocals").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -170)
    page.keyboard.up("Control")
    wait_for(lambda: view_begin(page) > 100, "the view has moved")
    assert width_shown(page) == pytest.approx(0.5, abs=0.02)


def test_two_fingers_zoom_and_one_moves_the_view(open_player: OpenPage):
    page = open_player(screen=PHONE)
    box = wave_of(page, "vocals").bounding_box()
    assert box
    touch = page.context.new_cdp_session(page)
    middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def send(kind: str, *xs: float) -> None:
        points = [{"x": x, "y": y, "id": number} for number, x in enumerate(xs)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", middle - 30, middle + 30)
    for spread in (40, 50, 60):
        send("touchMove", middle - spread, middle + spread)
    send("touchEnd")
    wait_for(lambda: abs(width_shown(page) - 0.5) < 0.05, "half of it is in the view")
    before = view_begin(page)
    send("touchStart", middle)
    for by in (20, 40, 60):
        send("touchMove", middle - by)
    send("touchEnd")
    wait_for(lambda: view_begin(page) > before, "the view has moved")
    assert position_of(page) == 0


def test_space_plays_and_pauses_after_any_click(open_player: OpenPage):
    page = open_player()
    page.get_by_role("button", name="Mute Vocals").click()
    page.keyboard.press("Space")
    wait_position(page, "at > 0.3")
    page.keyboard.press("Space")
    expect(play_of(page)).to_be_visible()
    expect(page.get_by_role("button", name="Mute Vocals")).to_have_attribute("aria-pressed", "true")
    assert position_of(page) < LENGTH_S / 2


def test_meter_of_what_plays_moves_and_that_of_a_muted_stem_does_not(open_player: OpenPage):
    page = open_player("?t=4&mix=vocals:0:m,accompaniment:0")
    play_of(page).click()
    moved = (
        "(stem) => document.querySelector(`[data-stem=${stem}] .meter-level`)"
        ".getBoundingClientRect().height > 4"
    )
    page.wait_for_function(moved, arg="accompaniment")
    assert not page.evaluate(moved, "vocals")


def test_digits_mute_and_with_shift_solo(open_player: OpenPage):
    page = open_player()
    page.keyboard.press("2")
    expect(page.locator("[data-stem=accompaniment]")).to_contain_text("muted")
    page.keyboard.press("2")
    page.keyboard.press("Shift+Digit1")
    expect(page.locator("[data-stem=accompaniment]")).to_contain_text("not soloed")
    expect(page.get_by_role("button", name="Solo Vocals")).to_have_attribute("aria-pressed", "true")


def test_volume_is_said_in_words(open_player: OpenPage):
    page = open_player()
    volume = page.get_by_role("slider", name="Volume of Vocals")
    volume.focus()
    volume.press("ArrowDown")
    expect(volume).to_have_attribute("aria-valuetext", "minus 1 decibels")
    volume.press("Home")
    expect(volume).to_have_attribute("aria-valuetext", "silent")


def test_click_on_a_waveform_goes_there(open_player: OpenPage):
    page = open_player()
    lane = wave_of(page, "accompaniment")
    box = lane.bounding_box()
    assert box
    lane.click(position={"x": box["width"] / 2, "y": 20})
    wait_position(page, "at > 5.3 && at < 5.6")
    expect(page.get_by_role("slider", name="Position in the recording")).to_have_attribute(
        "aria-valuetext", "5 seconds"
    )


def test_drag_on_the_ruler_loops_what_was_drawn_over(open_player: OpenPage):
    page = open_player()
    drag(page, page.locator("[data-lane=ruler]"), 0.5, 0.4)
    page.get_by_role("button", name="More controls").click()
    start = page.get_by_role("textbox", name="Start")
    expect(start).to_have_value(re.compile(r"0:04\.[34]"))
    expect(page.get_by_role("textbox", name="End")).to_have_value(re.compile(r"0:05\.[45]"))
    before = start.input_value()
    page.get_by_role("button", name="Move the start of the loop 0.1 seconds earlier").click()
    expect(start).not_to_have_value(before)
    page.keyboard.press("Escape")

    play_of(page).click()
    wait_position(page, "at > 5.2")
    wait_position(page, "at < 4.8")
    assert position_of(page) > 4


def test_edge_of_the_loop_can_be_dragged(open_player: OpenPage):
    page = open_player("?t=0&mix=vocals:0&loop=2-4")
    edge = page.locator("[data-edge=end]").bounding_box()
    ruler = page.locator("[data-lane=ruler]").bounding_box()
    assert edge
    assert ruler
    page.mouse.move(edge["x"] + 5, edge["y"] + 10)
    page.mouse.down()
    page.mouse.move(ruler["x"] + 0.75 * ruler["width"], edge["y"] + 10, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="More controls").click()
    expect(page.get_by_role("textbox", name="Start")).to_have_value("0:02.0")
    expect(page.get_by_role("textbox", name="End")).to_have_value(re.compile(r"0:08\.[12]"))


def test_loop_that_is_ended_here_begins_anew(open_player: OpenPage):
    page = open_player("?t=3")
    page.keyboard.press("[")
    page.keyboard.press("Space")
    wait_position(page, "at > 3.8")
    page.keyboard.press("]")
    wait_position(page, "at < 3.7")
    expect(page.get_by_role("button", name="Loop", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_typed_time_is_gone_to_and_nonsense_is_explained(open_player: OpenPage):
    page = open_player()
    page.get_by_role("button", name="Go to a time").click()
    field = page.get_by_role("textbox", name="Go to this time")
    field.fill("half past")
    field.press("Enter")
    expect(page.get_by_text("Type a time up to 0:10, as in 1:23.")).to_be_visible()
    field.fill("0:07,5")
    field.press("Enter")
    expect(field).to_have_count(0)
    wait_position(page, "Math.abs(at - 7.5) < 0.01")


def test_speed_goes_by_steps_and_the_position_with_it(open_player: OpenPage):
    page = open_player()
    page.keyboard.press("-")
    page.keyboard.press("-")
    speed = page.get_by_role("slider", name="Speed")
    expect(speed).to_have_attribute("aria-valuetext", "90 percent")
    page.keyboard.press("Space")
    wait_position(page, "at > 0.5")
    page.keyboard.press("0")
    expect(speed).to_have_attribute("aria-valuetext", "original speed")


def test_markers_are_added_named_gone_to_and_removed(open_player: OpenPage):
    page = open_player("?t=2.5")
    page.keyboard.press("b")
    name = page.get_by_role("textbox", name="Name of the marker at 0:02.5")
    name.fill("Verse")
    name.press("Enter")
    page.keyboard.press("End")
    wait_position(page, "at > 10")
    page.keyboard.press(",")
    wait_position(page, "Math.abs(at - 2.5) < 0.01")
    page.keyboard.press("Home")
    wait_position(page, "at === 0")
    page.get_by_role("button", name="Go to Verse").click()
    wait_position(page, "Math.abs(at - 2.5) < 0.01")
    page.get_by_role("button", name="Remove Verse").click()
    expect(name).to_have_count(0)


def test_recording_is_as_it_was_left_after_a_reload(open_player: OpenPage):
    page = open_player()
    page.keyboard.press("1")
    page.keyboard.press("-")
    page.keyboard.press("z")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    width = page.locator(".overview-view").evaluate("(each) => each.clientWidth")
    page.reload()
    expect(page.get_by_role("button", name="Mute Vocals")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("slider", name="Speed")).to_have_attribute(
        "aria-valuetext", "95 percent"
    )
    expect(page.get_by_role("button", name="Go to Marker 1")).to_be_visible()
    wait_position(page, "Math.abs(at - 5) < 0.1")
    assert page.locator(".overview-view").evaluate("(each) => each.clientWidth") == width
    assert kept_of(page)["version"] == 1


def test_memory_that_makes_no_sense_is_ignored(open_player: OpenPage, ready_output: ReadyOutput):
    page = open_player(expect="404")  # a browser asks for the icon of a page that is a picture
    page.goto(f"{ready_output.service_url}/icon.svg")
    page.evaluate(
        '(key) => localStorage.setItem(key, \'{"version":1,"settings":"loud"}\')',
        f"stemset.player.{ready_output.recording_id}",
    )
    page.goto(ready_output.page_url)
    expect(play_of(page)).to_be_enabled()
    expect(page.get_by_role("button", name="Mute Vocals")).to_have_attribute(
        "aria-pressed", "false"
    )


def test_copied_link_opens_there_with_the_mix(open_player: OpenPage, ready_output: ReadyOutput):
    allowed = ["clipboard-read", "clipboard-write"]
    page = open_player("?t=6", permissions=allowed)
    page.keyboard.press("1")
    page.get_by_role("slider", name="Volume of Accompaniment").fill("-9")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{ready_output.page_url}?t=6&mix=vocals:0:m,accompaniment:-9"

    other = open_player(link.removeprefix(ready_output.page_url))
    wait_position(other, "Math.abs(at - 6) < 0.01")
    expect(other.get_by_role("button", name="Mute Vocals")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(other.get_by_role("slider", name="Volume of Accompaniment")).to_have_value("-9")
    expect(other).to_have_url(ready_output.page_url)


def test_single_keys_can_be_switched_off_for_good(open_player: OpenPage):
    page = open_player()
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="Use single keys").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    expect(play_of(page)).to_be_enabled()
    page.keyboard.press("1")
    page.get_by_role("button", name="Mute Accompaniment").click()
    expect(page.locator("[data-stem=accompaniment]")).to_contain_text("muted")
    expect(page.locator("[data-stem=vocals]")).not_to_contain_text("muted")


def test_keys_in_a_text_field_are_text(open_player: OpenPage):
    page = open_player()
    page.keyboard.press("b")
    name = page.get_by_role("textbox", name=re.compile("Name of the marker"))
    name.fill("")
    name.press_sequentially("1 k")
    expect(name).to_have_value("1 k")
    expect(page.locator("[data-stem=vocals]")).not_to_contain_text("muted")
    expect(play_of(page)).to_be_visible()


def test_name_is_kept_by_a_click_elsewhere(open_player: OpenPage):
    page = open_player()
    page.keyboard.press("b")
    page.get_by_role("textbox", name=re.compile("Name of the marker")).fill("Bridge")
    page.get_by_role("button", name="Mute Vocals").click()
    expect(page.get_by_role("button", name="Go to Bridge")).to_be_visible()


def test_lock_screen_knows_what_plays_and_where(open_player: OpenPage):
    page = open_player()
    assert page.evaluate("navigator.mediaSession.metadata.title") == "example"
    play_of(page).click()
    page.wait_for_function("() => navigator.mediaSession.playbackState === 'playing'")
    pause_of(page).click()
    page.wait_for_function("() => navigator.mediaSession.playbackState === 'paused'")


def test_view_turns_the_page_with_the_playhead(open_player: OpenPage):
    page = open_player(reduced_motion=True)
    page.keyboard.press("z")
    page.keyboard.press("z")
    before = view_begin(page)
    page.keyboard.press("Space")
    wait_position(page, "at > 3")
    wait_for(lambda: view_begin(page) > before, "the view has moved")


@pytest.mark.alone
def test_playhead_moves_without_rendering(open_player: OpenPage):
    page = open_player()
    play_of(page).click()
    wait_position(page, "at > 0.5")
    changed = page.evaluate(
        """() => new Promise((resolve) => {
            const changed = new Set();
            new MutationObserver((all) => all.forEach(({ target, attributeName }) =>
                changed.add(`${target.className || target.nodeName} ${attributeName ?? "text"}`)
            )).observe(document.querySelector(".stage"),
                       { subtree: true, childList: true, attributes: true });
            setTimeout(() => resolve([...changed].sort()), 500);
        })"""
    )
    assert changed == ["meter-level style", "playhead style"]


def test_stems_and_zip_are_in_the_download_menu(open_player: OpenPage, ready_output: ReadyOutput):
    page = open_player()
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as stem:
        page.get_by_role("link", name="Vocals").click()
    assert stem.value.suggested_filename == "example - vocals.opus"
    zipped = page.get_by_role("link", name="All stems as a ZIP file")
    expect(zipped).to_have_attribute("href", f"/api/outputs/{ready_output.output_id}/zip")


def test_mix_is_exported_and_downloaded(open_player: OpenPage):
    page = open_player("?t=0&mix=vocals:0:m,accompaniment:0&loop=2-4")
    page.get_by_role("button", name="Export mix").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Accompaniment: with the volumes")
    dialog.get_by_role("combobox", name="Format").select_option("wav")
    dialog.get_by_role("radio", name="The loop alone, 0:02").check()
    dialog.get_by_role("button", name="Export", exact=True).click()
    ready = dialog.get_by_role("link", name="Download")
    expect(ready).to_be_visible(timeout=EXPORT_MS)
    with page.expect_download() as download:
        ready.click()
    assert download.value.suggested_filename.endswith(".wav")
    with av.open(download.value.path()) as exported:
        stream = exported.streams.audio[0]
        frames = sum(frame.samples for frame in exported.decode(stream))
        assert frames == 2 * stream.rate


def test_export_of_nothing_is_not_offered(open_player: OpenPage):
    page = open_player("?t=0&mix=vocals:0:m,accompaniment:off")
    page.get_by_role("button", name="Export mix").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Nothing would be heard")
    expect(dialog.get_by_role("button", name="Export", exact=True)).to_be_disabled()


def test_lost_connection_is_told_and_playing_goes_on_after_another_try(
    open_page: OpenPage, ready_output: ReadyOutput
):
    page = open_page(ready_output.page_url, expect="Failed to load|unanswered")
    expect(play_of(page)).to_be_enabled()

    def lose(route: Route) -> None:
        route.abort()

    page.route(STEM_FILES, lose)
    play_of(page).click()
    expect(page.get_by_text("Waiting for data…")).to_be_visible()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The connection to the recording was lost", timeout=LOST_MS)
    page.unroute(STEM_FILES)
    alert.get_by_role("button", name="Try again").click()
    wait_position(page, "at > 0.3")
    expect(alert).to_have_count(0)


def test_waveforms_may_fail_while_the_stems_play(open_page: OpenPage, ready_output: ReadyOutput):
    page = open_page(f"{ready_output.service_url}/icon.svg", expect="Failed to load|unanswered")

    def lose(route: Route) -> None:
        route.abort()

    page.route(PEAKS, lose)
    page.goto(ready_output.page_url)
    play_of(page).click()
    wait_position(page, "at > 0.3")


def test_output_that_is_not_there_is_said_so(open_page: OpenPage, ready_output: ReadyOutput):
    page = open_page(f"{ready_output.service_url}/play/0000", expect="404")
    expect(page.get_by_role("heading", name="These stems are not here")).to_be_visible()
    page.get_by_role("link", name="To the recordings").click()
    expect(page).to_have_url(f"{ready_output.service_url}/")


def test_service_that_does_not_answer_can_be_asked_again(
    open_page: OpenPage, ready_output: ReadyOutput
):
    page = open_page(f"{ready_output.service_url}/icon.svg", expect="Failed to load|unanswered")
    asked = f"**/api/outputs/{ready_output.output_id}"

    def lose(route: Route) -> None:
        route.abort()

    page.route(asked, lose)
    page.goto(ready_output.page_url)
    expect(page.get_by_text("The service does not answer.")).to_be_visible(timeout=LOST_MS)
    page.unroute(asked)
    page.get_by_role("button", name="Try again").click()
    expect(play_of(page)).to_be_enabled()
