"""The jobs on the page: followed live, cancelled, tried again, through crashes and cut lines."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect
from service_deployment import ServiceDeployment
from short_takes import Takes
from watched_pages import DESKTOP, PHONE, Screen, Theme
from web_service import PROFILE

OpenPage = Callable[..., Page]

EVENTS = re.compile(r"/api/events")
TIME_LEFT = re.compile(r"(about [0-9]+ (s|min)|a few seconds|[0-9]+ to [0-9]+ min) left")
CUT_OFF = r"/api/|Failed to load resource"
WORK_MS = 90_000
SOON_MS = 20_000
SHORT_S = 5.0
LONG_S = 120.0


@pytest.fixture
def takes(song: NDArray[np.float32]) -> Takes:
    return Takes(song)


def jobs_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Jobs")


def row_of(page: Page, name: str) -> Locator:
    """The row of a job that waits, runs or failed."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name))


def ready_of(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Ready").get_by_role("listitem").filter(has_text=name)


def streams_of(context: BrowserContext) -> list[str]:
    """Addresses of the event streams that pages of a browser have asked for."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if EVENTS.search(request.url):
            asked.append(request.url)

    context.on("request", note)
    return asked


def open_without_stream(open_page: OpenPage, service: ServiceDeployment) -> Page:
    """The page, in a browser that no stream of events gets through to."""
    page = open_page(f"{service.url}/icon.svg", expect=CUT_OFF)

    def refuse(route: Route) -> None:
        route.abort()

    page.context.route(EVENTS, refuse)
    page.goto(service.url)
    return page


def test_job_goes_through_its_steps_until_it_can_be_played(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    page = open_page(web_service.url)
    expect(jobs_of(page)).to_have_count(0)

    job_id = web_service.separate(takes.wav(LONG_S), "take.wav", PROFILE)

    row = row_of(page, "take.wav")
    expect(row.locator("[aria-current=step]")).to_contain_text("Separating", timeout=SOON_MS)
    expect(row.get_by_role("progressbar", name="Progress of take.wav")).to_be_visible()
    expect(row).to_contain_text(re.compile(r"Separating the stems · [1-9][0-9]* %"))
    expect(row).to_contain_text(TIME_LEFT, timeout=WORK_MS)
    expect(page).to_have_title(re.compile(r"^[0-9]+ % – Stemset$"))
    ready = ready_of(page, "take.wav")
    expect(ready).to_be_visible(timeout=WORK_MS)
    expect(row).to_have_count(0)
    expect(page).to_have_title("Stemset")
    expect(jobs_of(page).get_by_role("status")).to_have_text("take.wav is ready.")

    ready.get_by_role("link", name="Play take.wav").click()

    output_id = web_service.status(job_id)["output_id"]
    expect(page).to_have_url(f"{web_service.url}/play/{output_id}")


def test_running_job_and_failures_are_there_again_after_a_reload(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    web_service.separate(takes.wav(LONG_S), "take.wav", PROFILE)
    page = open_page(web_service.url)
    expect(row_of(page, "take.wav")).to_be_visible()

    page.reload()

    expect(row_of(page, "take.wav").get_by_role("progressbar")).to_be_visible()
    expect(ready_of(page, "take.wav")).to_be_visible(timeout=WORK_MS)
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(jobs_of(page)).to_have_count(0)


def test_cancelled_job_leaves_and_can_be_started_again(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    page = open_page(web_service.url)
    job_id = web_service.separate(takes.wav(LONG_S), "take.wav", PROFILE)
    row = row_of(page, "take.wav")

    row.get_by_role("button", name="Cancel take.wav").click()

    expect(row).to_have_count(0)
    assert web_service.status(job_id)["state"] == "cancelled"
    expect(page.get_by_text("take.wav was cancelled.", exact=True)).to_be_visible()

    page.get_by_role("button", name="Start again").click()

    expect(row).to_be_visible()
    expect(ready_of(page, "take.wav")).to_be_visible(timeout=WORK_MS)


def test_failed_job_says_why_and_succeeds_when_tried_again(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    page = open_page(web_service.url)
    web_service.separate(takes.wav(60.0), "first.wav", PROFILE)
    wav = takes.wav(SHORT_S)
    web_service.upload(wav, "second.wav", PROFILE)
    web_service.store.delete([f"inputs/{PROFILE}/second.wav"])
    web_service.process("second.wav", PROFILE)
    row = row_of(page, "second.wav")

    expect(row).to_contain_text("The recording's file is gone", timeout=WORK_MS)
    expect(row).to_contain_text("Upload the recording again.")
    expect(row).to_contain_text("[input_changed]")

    web_service.upload(wav, "second.wav", PROFILE)
    row.get_by_role("button", name="Try again second.wav").click()

    expect(ready_of(page, "second.wav")).to_be_visible(timeout=WORK_MS)
    expect(row).to_have_count(0)


def test_dismissed_failure_stays_away(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    web_service.upload(takes.wav(SHORT_S), "gone.wav", PROFILE)
    web_service.store.delete([f"inputs/{PROFILE}/gone.wav"])
    job_id = web_service.process("gone.wav", PROFILE)
    web_service.wait_ended(job_id)
    page = open_page(web_service.url)

    row_of(page, "gone.wav").get_by_role("button", name="Dismiss gone.wav").click()

    expect(jobs_of(page)).to_have_count(0)
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(jobs_of(page)).to_have_count(0)


def test_page_recovers_by_itself_when_the_service_is_killed_and_started_again(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    page = open_page(web_service.url, expect=CUT_OFF)
    job_id = web_service.separate(takes.wav(LONG_S), "take.wav", PROFILE)
    web_service.wait_state(job_id, "processing", phase="separating")
    expect(row_of(page, "take.wav").get_by_role("progressbar")).to_be_visible()

    web_service.parts[-1].kill()

    lost = jobs_of(page).get_by_text("The service does not answer; trying again.")
    expect(lost).to_be_visible(timeout=SOON_MS)
    expect(row_of(page, "take.wav")).to_be_visible()

    web_service.serve()

    expect(lost).to_have_count(0, timeout=SOON_MS)
    expect(ready_of(page, "take.wav")).to_be_visible(timeout=WORK_MS)


def test_job_is_followed_by_asking_where_no_stream_gets_through(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    web_service.separate(takes.wav(LONG_S), "take.wav", PROFILE)
    page = open_without_stream(open_page, web_service)

    row = row_of(page, "take.wav")
    expect(row.get_by_role("progressbar")).to_be_visible(timeout=SOON_MS)
    expect(jobs_of(page).get_by_text("live updates are cut off")).to_be_visible()
    expect(ready_of(page, "take.wav")).to_be_visible(timeout=WORK_MS)


def test_tabs_of_a_browser_share_one_stream_which_outlives_its_tab(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    first = open_page(web_service.url)
    second = first.context.new_page()
    first.goto("about:blank")  # which ends what the page was about to ask for
    asked = streams_of(first.context)
    with first.expect_request(EVENTS):  # it is the first that has the stream
        first.goto(web_service.url)
    second.goto(web_service.url)

    web_service.separate(takes.wav(SHORT_S), "one.wav", PROFILE)

    for page in (first, second):
        expect(ready_of(page, "one.wav")).to_be_visible(timeout=WORK_MS)
    assert len(asked) == 1

    first.close()
    web_service.separate(takes.wav(SHORT_S), "two.wav", PROFILE)

    expect(ready_of(second, "two.wav")).to_be_visible(timeout=WORK_MS)
    assert len(asked) == 2
    assert "last_event_id=" in asked[-1], "the second tab went on where the first had ended"


def test_notification_tells_who_looks_elsewhere_that_a_job_is_ready(
    web_service: ServiceDeployment, open_page: OpenPage, takes: Takes
):
    page = open_page(web_service.url, permissions=["notifications"])
    page.context.add_init_script(
        """
        globalThis.told = [];
        globalThis.Notification = class extends Notification {
          constructor(title, options) { super(title, options); told.push(title); }
        };
        Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
        """
    )
    page.reload()

    web_service.separate(takes.wav(SHORT_S), "take.wav", PROFILE)

    expect(ready_of(page, "take.wav")).to_be_visible(timeout=WORK_MS)
    page.wait_for_function("() => told.length > 0")
    assert page.evaluate("told") == ["take.wav is ready"]


@pytest.mark.slow
def test_two_hundred_jobs_are_a_few_rows_and_a_number(
    web_service: ServiceDeployment,
    open_page: OpenPage,
    takes: Takes,
    axe: Callable[[Page], list[str]],
    screenshot: Callable[[Page, str], Path],
):
    web_service.separate(takes.wav(LONG_S), "first.wav", PROFILE)
    web_service.upload(takes.wav(SHORT_S), "take.wav", PROFILE)
    for number in range(200):
        web_service.process("take.wav", PROFILE, output_name=f"take_{number}")
    page = open_page(web_service.url, screen=PHONE)

    more = jobs_of(page).get_by_text(re.compile(r"19[0-9] more under way"))
    expect(more).to_be_visible()
    assert jobs_of(page).get_by_role("listitem").count() < 20
    assert axe(page) == []
    screenshot(page, "jobs-many")

    more.click()

    expect(jobs_of(page).get_by_text("200th in line")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_jobs_of_every_kind_have_no_barriers_and_fit(
    web_service: ServiceDeployment,
    open_page: OpenPage,
    takes: Takes,
    axe: Callable[[Page], list[str]],
    screenshot: Callable[[Page, str], Path],
    theme: Theme,
    screen: Screen,
):
    page = open_page(web_service.url, theme=theme, screen=screen)
    web_service.separate(takes.wav(SHORT_S), "a song that is ready.wav", PROFILE)
    expect(ready_of(page, "a song that is ready.wav")).to_be_visible(timeout=WORK_MS)
    web_service.upload(takes.wav(SHORT_S), "a lost one.wav", PROFILE)
    web_service.store.delete([f"inputs/{PROFILE}/a lost one.wav"])
    web_service.wait_ended(web_service.process("a lost one.wav", PROFILE))
    running = "Practice_of_the_24th_of_November_with_a_name_that_has_no_end_and_no_space.wav"
    web_service.separate(takes.wav(LONG_S), running, PROFILE)
    web_service.separate(takes.wav(LONG_S), "the next one.wav", PROFILE)

    expect(row_of(page, "the next one.wav")).to_contain_text("in line")
    expect(row_of(page, running)).to_contain_text(TIME_LEFT, timeout=WORK_MS)

    screenshot(page, f"jobs-{screen.width}-{theme}")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
