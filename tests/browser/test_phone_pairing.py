"""A phone on the same network, from the code on the computer's screen to the recordings."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium_browser import launched
from phone_client import LAN_ADDRESS
from playwright.sync_api import Browser, Page, expect
from running_parts import wait_for
from service_deployment import ServiceDeployment
from service_deployment import service as deployed
from watched_pages import PHONE, HeldAnswers, Theme, wait_painted
from web_service import CONFIG, PROFILE

OpenPage = Callable[..., Page]

NAME = f"{socket.gethostname().partition('.')[0].lower()}.local"
HAS_WORKLETS = "'audioWorklet' in BaseAudioContext.prototype"
PLAIN_NAME = "plain.example"
REFUSED = "the server responded with a status of 40[13]|refused: .*: 40[13]"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium that finds this machine under names that it does not know for loopback's."""
    names = f"MAP {NAME} {LAN_ADDRESS}, MAP {PLAIN_NAME} 127.0.0.1"
    with launched(f"--host-resolver-rules={names}") as browser:
        yield browser


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, built_page: None, example: Path
) -> Iterator[ServiceDeployment]:
    """A service with a door for phones, and a recording."""
    del built_page
    with deployed(tmp_path_factory.mktemp("phones"), config=CONFIG) as made:
        made.serve("--lan", "--lan-address", LAN_ADDRESS, "--lan-port", "0")
        made.upload(example.read_bytes(), "tuesday.mp3", PROFILE)
        yield made


@pytest.fixture
def open_phone(open_page: OpenPage) -> Callable[..., Page]:
    """Opens a page as a phone whose owner went on past the browser's warning."""

    def opened(url: str, **more: str) -> Page:
        there = url.replace(LAN_ADDRESS, NAME)
        return open_page(there, screen=PHONE, ignore_https_errors=True, **more)

    return opened


def shown_url(service: ServiceDeployment, open_page: OpenPage) -> str:
    """What the code on the computer's screen says."""
    page = open_page(service.url)
    page.get_by_role("button", name="Phone", exact=True).click()
    dialog = page.get_by_role("dialog", name="Open on a phone")
    expect(dialog.get_by_role("img", name="QR code")).to_be_visible()
    url = dialog.locator(".address").inner_text()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    return url


def pair(page: Page) -> None:
    page.get_by_role("button", name="Pair this phone").click()
    expect(page.get_by_text("tuesday").first).to_be_visible()


def test_phone_that_opens_the_code_is_paired_and_has_what_the_player_needs(
    service: ServiceDeployment, open_page: OpenPage, open_phone: Callable[..., Page]
):
    page = open_phone(shown_url(service, open_page))

    pair(page)

    assert page.url == f"{service_address(service)}/"
    assert page.evaluate("isSecureContext")
    assert page.evaluate(HAS_WORKLETS)
    assert page.evaluate("'wakeLock' in navigator && 'Notification' in window")
    assert page.evaluate("document.cookie") == ""


def test_answer_from_before_the_pairing_does_not_say_that_the_phone_is_not_paired(
    service: ServiceDeployment, open_page: OpenPage, open_phone: Callable[..., Page]
):
    page = open_phone(shown_url(service, open_page))
    answers = HeldAnswers(page, "/api/pairing")
    page.reload()

    with page.expect_response("**/api/pairing"):
        page.get_by_role("button", name="Pair this phone").click()
    wait_painted(page)
    answers.let_go()

    expect(page.get_by_text("tuesday").first).to_be_visible()


def test_phone_has_none_of_that_without_encryption(service: ServiceDeployment, open_page: OpenPage):
    page = open_page(f"http://{PLAIN_NAME}:{service.port}/livez", expect=REFUSED)

    assert not page.evaluate("isSecureContext")
    assert not page.evaluate(HAS_WORKLETS)
    assert not page.evaluate("'wakeLock' in navigator")


def test_code_that_was_used_is_refused_in_words(
    service: ServiceDeployment, open_page: OpenPage, open_phone: Callable[..., Page]
):
    url = shown_url(service, open_page)
    pair(open_phone(url))

    second = open_phone(url, expect=REFUSED)
    second.get_by_role("button", name="Pair this phone").click()

    expect(second.get_by_role("alert")).to_contain_text("was used already")


def test_phone_that_is_not_paired_is_told_what_to_do(
    service: ServiceDeployment, open_phone: Callable[..., Page]
):
    for path in ("/", "/pair"):
        page = open_phone(f"{service_address(service)}{path}")

        expect(page.get_by_role("heading", name="This phone is not paired")).to_be_visible()
        expect(page.get_by_text("press “Phone”")).to_be_visible()


def test_phone_that_unpairs_is_not_paired_any_more(
    service: ServiceDeployment, open_page: OpenPage, open_phone: Callable[..., Page]
):
    page = open_phone(shown_url(service, open_page), expect=REFUSED)
    pair(page)

    page.get_by_role("button", name="Phone", exact=True).click()
    page.get_by_role("dialog", name="This phone").get_by_role(
        "button", name="Unpair this phone"
    ).click()

    expect(page.get_by_role("heading", name="This phone is not paired")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="This phone is not paired")).to_be_visible()


def test_phone_whose_token_is_revoked_is_told_so_by_the_open_page(
    service: ServiceDeployment, open_page: OpenPage, open_phone: Callable[..., Page]
):
    page = open_phone(shown_url(service, open_page), expect=REFUSED)
    pair(page)
    name = page.evaluate("fetch('/api/pairing').then((r) => r.json()).then((a) => a.caller)")

    revoking = service.start("token", "revoke", name)
    assert revoking.process.wait(60) == 0
    status = "fetch('/api/jobs').then((r) => r.status)"
    wait_for(lambda: page.evaluate(status) == 401, "it is refused")
    page.get_by_role("searchbox").fill("tuesday")

    expect(page.get_by_role("heading", name="This phone is not paired")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_views_have_no_barriers_and_fit_a_phone(
    service: ServiceDeployment,
    open_page: OpenPage,
    open_phone: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    screenshot: Callable[[Page, str], Path],
    theme: Theme,
):
    computer = open_page(service.url, theme=theme, screen=PHONE)
    computer.get_by_role("button", name="Phone", exact=True).click()
    expect(computer.get_by_role("img", name="QR code")).to_be_visible()
    phone = open_phone(computer.locator(".address").inner_text(), theme=theme)
    phone.get_by_text("Stop the warning").click()
    views = {"phone-code": computer, "phone-pair": phone}
    for name, page in views.items():
        screenshot(page, f"{name}-{theme}")
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def service_address(service: ServiceDeployment) -> str:
    address: str = service.call("GET", "/api/pairing").json()["address"]
    return address.replace(LAN_ADDRESS, NAME)
