"""The library on the page: found, played, renamed, downloaded, deleted, ten thousand at a time."""

import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from full_library import fill
from playwright.sync_api import Browser, Download, Locator, Page, Route, expect
from running_parts import wait_for
from service_deployment import ServiceDeployment
from watched_pages import DESKTOP, PHONE, Screen, Theme, wait_painted
from web_service import PROFILE, separate

OpenPage = Callable[..., Page]

# A toast with "Undo" stays for 8 s.
FORGOTTEN_MS = 12_000
# A call that nobody answers is made three times more, over 7 s.
GIVEN_UP_MS = 12_000
# A stream of events that broke off is opened again every few seconds.
BACK_MS = 12_000
AWAY = r"/api/|Failed to load resource|ERR_CONNECTION_REFUSED"
MANY = 10_000
MANY_MS = 60_000
LONGEST_TASK_MS = 100

SCROLL_THROUGH = """
async () => {
  const passed = { frames: 0, blank: 0 };
  const end = () => document.documentElement.scrollHeight - innerHeight;
  while (scrollY < end() - 1) {
    scrollBy(0, innerHeight);
    await new Promise((resolve) => requestAnimationFrame(resolve));
    passed.frames += 1;
    const middle = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    if (scrollY > innerHeight && !middle?.closest("main li")) passed.blank += 1;
  }
  return passed;
}
"""

NAME_IN_THE_MIDDLE = """
() => document.elementFromPoint(innerWidth / 2, innerHeight / 2)
  ?.closest("main li")?.querySelector("h3")?.textContent
"""


@pytest.fixture
def band(web_service: ServiceDeployment, example: Path) -> ServiceDeployment:
    """A service with the example song, really separated, and two takes that are not."""
    song = example.read_bytes()
    for name in ("Bridge.mp3", "Ending.mp3"):
        web_service.upload(song + name.encode(), name, PROFILE)
    separate(web_service, example)
    return web_service


def library_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Library")


def row_of(page: Page, name: str) -> Locator:
    rows = library_of(page).get_by_role("listitem")
    return rows.filter(has=page.get_by_role("heading", name=name, exact=True))


def names_of(page: Page) -> Locator:
    return library_of(page).get_by_role("heading", level=3)


def menu_of(page: Page) -> Locator:
    """The menu that is open."""
    return page.locator("[popover]:popover-open")


def right_of(shown: Locator) -> float:
    """Where it ends, in pixels from the left."""
    box = shown.bounding_box()
    assert box
    return box["x"] + box["width"]


def choose(page: Page, name: str, choice: str | re.Pattern[str]) -> Locator:
    """Open the menu of a recording and give one of its choices, to be clicked."""
    page.get_by_role("button", name=f"More for {name}", exact=True).click()
    menu = menu_of(page)
    return menu.get_by_role("button", name=choice).or_(menu.get_by_role("link", name=choice))


def recordings_of(service: ServiceDeployment) -> dict[str, dict[str, Any]]:
    """What the service has, by name."""
    page = service.ask("GET", "/api/recordings").json()
    return {each["name"]: each for each in page["recordings"]}


def downloaded(page: Page, link: Locator) -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        link.click()
    download: Download = waiting.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def test_empty_library_says_what_to_do_and_fills_by_itself(
    web_service: ServiceDeployment, open_page: OpenPage, example: Path
):
    page = open_page(web_service.url)
    expect(library_of(page).get_by_role("heading", name="No recordings yet")).to_be_visible()
    expect(library_of(page)).to_contain_text("on the machine that Stemset runs on")

    made = separate(web_service, example)

    row = row_of(page, "example")
    expect(row.locator(".thumbnail[data-drawn=true]")).to_be_visible()
    expect(row).to_contain_text("just now")
    expect(row).to_contain_text("0:10")
    expect(row).to_contain_text("band: vocals, accompaniment")
    expect(library_of(page)).to_contain_text("1 recording")
    row.get_by_role("link", name="Play example").click()
    expect(page).to_have_url(made.page_url)


def test_recording_is_renamed_at_once_and_for_good(band: ServiceDeployment, open_page: OpenPage):
    page = open_page(band.url)
    choose(page, "example", "Rename").click()
    field = page.get_by_role("textbox", name="Name")
    field.fill("  ")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.get_by_text("A recording needs a name.")).to_be_visible()

    field.fill("Tuesday, slow – עברית 🎸")
    page.keyboard.press("Enter")

    expect(row_of(page, "Tuesday, slow – עברית 🎸")).to_be_visible()
    page.reload()
    expect(row_of(page, "Tuesday, slow – עברית 🎸")).to_be_visible()
    assert "Tuesday, slow – עברית 🎸" in recordings_of(band)


def test_name_that_is_given_is_kept_though_the_page_is_left_at_once(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url)
    choose(page, "example", "Rename").click()
    page.get_by_role("textbox", name="Name").fill("Tuesday")
    on_its_way: list[Route] = []

    def hold(call: Route) -> None:
        on_its_way.append(call)

    page.route("**/api/recordings/*", hold)
    page.keyboard.press("Enter")
    expect(names_of(page)).to_have_text(["Tuesday", "Ending", "Bridge"])
    page.goto("about:blank")
    (call,) = on_its_way
    call.continue_()

    wait_for(lambda: "Tuesday" in recordings_of(band), "it has its new name")


def test_name_that_is_not_taken_goes_back(band: ServiceDeployment, open_page: OpenPage):
    page = open_page(band.url, expect=AWAY)
    choose(page, "example", "Rename").click()
    band.parts[-1].kill()
    page.get_by_role("textbox", name="Name").fill("Never heard")
    page.keyboard.press("Enter")

    expect(page.get_by_text("“example” keeps its name: it could not be renamed.")).to_be_visible()
    expect(row_of(page, "example")).to_be_visible()
    expect(row_of(page, "Never heard")).to_have_count(0)


def test_search_and_order_stay_in_the_address(band: ServiceDeployment, open_page: OpenPage):
    page = open_page(band.url)
    expect(names_of(page)).to_have_text(["example", "Ending", "Bridge"])
    page.get_by_label("Order of the recordings").select_option("Name, A to Z")
    expect(names_of(page)).to_have_text(["Bridge", "Ending", "example"])

    search = page.get_by_role("searchbox", name="Search recordings by name")
    search.press_sequentially("E")
    expect(names_of(page)).to_have_text(["Bridge", "Ending", "example"])
    search.press_sequentially("X")
    expect(names_of(page)).to_have_text(["example"])
    expect(search).to_be_focused()
    expect(page).to_have_url(f"{band.url}/?q=EX&sort=name&direction=asc")

    page.reload()
    expect(names_of(page)).to_have_text(["example"])
    page.get_by_role("link", name="Play example").click()
    expect(page).to_have_url(re.compile("/play/"))
    page.go_back()
    expect(names_of(page)).to_have_text(["example"])
    expect(search).to_have_value("EX")

    search.fill("polka")
    expect(page.get_by_role("heading", name="Nothing found for “polka”")).to_be_visible()
    page.get_by_role("button", name="Show all recordings").click()
    expect(names_of(page)).to_have_text(["Bridge", "Ending", "example"])
    expect(search).to_have_value("")


def test_list_is_where_it_was_when_one_comes_back(
    web_service: ServiceDeployment, open_page: OpenPage
):
    fill(web_service, 300)
    page = open_page(web_service.url)
    expect(library_of(page)).to_contain_text("300 recordings")
    page.evaluate("scrollTo(0, 12_000)")
    name = page.wait_for_function(NAME_IN_THE_MIDDLE).json_value()

    page.evaluate("history.pushState(null, '', '/elsewhere')")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    page.go_back()

    expect(row_of(page, name)).to_be_in_viewport()


def test_deletion_is_undone_and_the_service_never_hears_of_it(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))

    choose(page, "Ending", "Delete").click()

    expect(names_of(page)).to_have_text(["example", "Bridge"])
    expect(page.get_by_role("button", name="Separate Bridge")).to_be_focused()
    page.get_by_role("button", name="Undo").click()
    expect(names_of(page)).to_have_text(["example", "Ending", "Bridge"])
    page.goto("about:blank")
    assert "DELETE" not in asked
    assert set(recordings_of(band)) == {"example", "Ending", "Bridge"}


def test_deletion_is_made_when_its_time_is_over(band: ServiceDeployment, open_page: OpenPage):
    page = open_page(band.url)
    choose(page, "example", "Delete").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert "example" in recordings_of(band)

    with page.expect_response(lambda answer: answer.request.method == "DELETE") as answered:
        expect(page.get_by_role("button", name="Undo")).to_be_hidden(timeout=FORGOTTEN_MS)

    assert answered.value.status == 204
    assert set(recordings_of(band)) == {"Ending", "Bridge"}
    expect(names_of(page)).to_have_text(["Ending", "Bridge"])
    expect(library_of(page)).to_contain_text("2 recordings")


def test_deletion_is_made_when_the_page_is_left(band: ServiceDeployment, open_page: OpenPage):
    page = open_page(band.url)
    choose(page, "example", "Delete").click()
    expect(names_of(page)).to_have_text(["Ending", "Bridge"])
    watching = page.context.new_page()

    page.close(run_before_unload=True)

    wait_for(lambda: "example" not in recordings_of(band), "it is deleted")
    watching.goto(band.url)
    expect(names_of(watching)).to_have_text(["Ending", "Bridge"])


def test_deletion_that_fails_brings_the_recording_back(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url, expect=AWAY)
    choose(page, "example", "Delete").click()
    expect(names_of(page)).to_have_text(["Ending", "Bridge"])
    band.parts[-1].kill()

    told = page.get_by_text("“example” could not be deleted and is still here.")
    expect(told).to_be_visible(timeout=FORGOTTEN_MS)
    expect(names_of(page)).to_have_text(["example", "Ending", "Bridge"])


def test_stem_and_all_stems_are_downloaded_as_the_service_has_them(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url)
    output_id = recordings_of(band)["example"]["outputs"][0]["output_id"]
    output = band.ask("GET", f"/api/outputs/{output_id}").json()
    hashes = {each["name"]: each["sha256"] for each in output["files"]}

    name, stem = downloaded(page, choose(page, "example", re.compile("^vocals")))

    assert name == "example - vocals.opus"
    assert hashlib.sha256(stem).hexdigest() == hashes["vocals.opus"]
    name, packed = downloaded(page, choose(page, "example", re.compile("ZIP")))
    assert name == "example - stems.zip"
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for file in ("vocals.opus", "accompaniment.opus"):
            data = archive.read(f"example/{file}")
            assert hashlib.sha256(data).hexdigest() == hashes[file]


def test_recording_is_separated_again_and_then_there_is_a_choice(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url)
    choose(page, "example", "Separate again").click()
    expect(page.get_by_role("radio", name=re.compile("band – made before"))).not_to_be_checked()
    expect(page.get_by_role("radio", name=re.compile("lossless"))).to_be_checked()
    page.get_by_role("button", name="Separate", exact=True).click()

    expect(page.get_by_text("“example” will be separated with lossless.")).to_be_visible()
    page.get_by_role("button", name="Play example").click()
    choices = menu_of(page).get_by_role("link")
    expect(choices).to_have_text([re.compile("lossless"), re.compile("band")])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    outputs = recordings_of(band)["example"]["outputs"]
    expect(page).to_have_url(f"{band.url}/play/{outputs[1]['output_id']}")


def test_link_is_copied(band: ServiceDeployment, open_page: OpenPage):
    page = open_page(band.url, permissions=["clipboard-read", "clipboard-write"])
    choose(page, "example", "Copy link").click()

    expect(page.get_by_text("It opens on this machine only.")).to_be_visible()
    output_id = recordings_of(band)["example"]["outputs"][0]["output_id"]
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{band.url}/play/{output_id}"


def test_menu_gives_the_focus_back(band: ServiceDeployment, open_page: OpenPage):
    page = open_page(band.url)
    more = page.get_by_role("button", name="More for example")
    more.focus()
    page.keyboard.press("Enter")
    expect(menu_of(page).get_by_role("link").first).to_be_focused()

    page.keyboard.press("Escape")

    expect(more).to_be_focused()
    expect(menu_of(page)).to_have_count(0)


def test_menu_stays_by_its_button_when_the_window_becomes_wider(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url, screen=Screen(DESKTOP.height, DESKTOP.width))
    more = page.get_by_role("button", name="More for Bridge")
    more.click()

    page.set_viewport_size({"width": DESKTOP.width, "height": DESKTOP.height})
    wait_painted(page)

    assert right_of(menu_of(page)) == pytest.approx(right_of(more), abs=1)
    expect(menu_of(page)).to_be_in_viewport(ratio=1)


def test_menu_outlasts_a_phone_that_is_turned_and_goes_when_it_is_scrolled_away(
    web_service: ServiceDeployment, open_page: OpenPage
):
    fill(web_service, 30)
    page = open_page(web_service.url, screen=PHONE)
    page.get_by_role("button", name="More for").nth(1).click()

    for width, height in ((4, 4), (PHONE.height, PHONE.width), (PHONE.width, PHONE.height)):
        page.set_viewport_size({"width": width, "height": height})
        wait_painted(page)
        page.evaluate("scrollBy(0, 1)")
        wait_painted(page)
        expect(menu_of(page)).to_be_in_viewport(ratio=1 if width > 4 else None)

    page.evaluate("scrollBy(0, 2 * innerHeight)")
    expect(menu_of(page)).to_have_count(0)


def test_service_that_is_away_is_said_and_listed_again_by_itself_when_it_is_back(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url, expect=AWAY)
    expect(names_of(page)).to_have_count(3)
    band.parts[-1].kill()
    page.get_by_label("Order of the recordings").select_option("Name, A to Z")

    expect(library_of(page).get_by_role("alert")).to_contain_text(
        "The service does not answer", timeout=GIVEN_UP_MS
    )
    band.serve()
    expect(names_of(page)).to_have_text(["Bridge", "Ending", "example"], timeout=BACK_MS)
    expect(library_of(page).get_by_role("alert")).to_have_count(0)


def test_list_that_could_not_be_looked_up_is_tried_again(
    band: ServiceDeployment, open_page: OpenPage
):
    page = open_page(band.url, expect=AWAY)
    expect(names_of(page)).to_have_count(3)
    page.route("**/api/recordings?*", lambda route: route.abort("connectionreset"))
    page.get_by_label("Order of the recordings").select_option("Name, A to Z")

    again = library_of(page).get_by_role("button", name="Try again")
    expect(again).to_be_visible(timeout=GIVEN_UP_MS)
    page.unroute("**/api/recordings?*")
    again.click()
    expect(names_of(page)).to_have_text(["Bridge", "Ending", "example"])
    expect(library_of(page).get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_library_has_no_barriers(
    band: ServiceDeployment,
    open_page: OpenPage,
    axe: Callable[[Page], list[str]],
    screenshot: Callable[[Page, str], Path],
    theme: Theme,
    screen: Screen,
):
    page = open_page(band.url, theme=theme, screen=screen)
    expect(row_of(page, "example").locator(".thumbnail[data-drawn=true]")).to_be_visible()
    screenshot(page, f"library-{theme}-{screen.width}")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == screen.width

    choose(page, "example", "Rename").wait_for()
    expect(menu_of(page)).to_contain_text("kB")
    assert axe(page) == []
    page.keyboard.press("Escape")
    choose(page, "example", "Separate again").click()
    assert axe(page) == []
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is None or min(box["width"], box["height"]) >= 44


def test_ten_thousand_recordings_scroll_smoothly(
    web_service: ServiceDeployment,
    open_page: OpenPage,
    chromium: Browser,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    fill(web_service, MANY)
    page = open_page(web_service.url)
    expect(library_of(page)).to_contain_text("10,000 recordings")
    expect(row_of(page, "Take 1").locator(".thumbnail[data-drawn=true]")).to_be_visible()
    first = page.get_by_role("button", name="More for Take 1", exact=True)
    first.focus()

    chromium.start_tracing(page=page, path=tmp_path / "trace.json", categories=["toplevel"])
    passed = page.evaluate(SCROLL_THROUGH)
    expect(row_of(page, f"Take {MANY}")).to_be_visible(timeout=MANY_MS)
    chromium.stop_tracing()

    longest_ms = longest_task_ms(tmp_path / "trace.json")
    with capsys.disabled():
        sys.stdout.write(
            f"\n  {MANY} recordings, {passed['frames']} frames, longest task {longest_ms:.0f} ms\n"
        )
    assert longest_ms <= LONGEST_TASK_MS
    assert passed["blank"] == 0
    expect(first).to_be_focused()
    rows = library_of(page).get_by_role("listitem")
    assert rows.count() < 50
    expect(rows.last).to_have_attribute("aria-posinset", str(MANY))
    expect(rows.last).to_have_attribute("aria-setsize", str(MANY))


def longest_task_ms(trace: Path) -> float:
    """How long a page's main thread worked at one piece, not counting what others took from it."""
    events = json.loads(trace.read_text())["traceEvents"]
    mains = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        each.get("tdur", 0) / 1000
        for each in events
        if each["ph"] == "X" and (each["pid"], each["tid"]) in mains
    ]
    assert tasks, "nothing was traced"
    return max(tasks)
