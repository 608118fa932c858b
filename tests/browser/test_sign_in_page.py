"""Signing in by browser: from the provider's page to the recordings, and out again."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from open_id_provider import OpenIdProvider, open_id_provider
from playwright.sync_api import Locator, Page, expect
from running_parts import wait_for
from service_deployment import ServiceDeployment
from service_deployment import service as deployed
from test_upload_view import PART_BYTES, SLOW, row, slow_down, write_take
from test_upload_view import choose as choose_file
from watched_pages import PHONE, Theme
from web_service import CONFIG

OpenPage = Callable[..., Page]
SignIn = Callable[..., Page]

ADMIN = "anna@example.org"
WAYS_IN = "Sign in with Example"
# A session that ends is noticed by calls that are refused, or by the stream that cannot come back.
REFUSED = r"status of 401|refused: .*: 401"
NOTICED_WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    """The provider, which sends people back to where its tests say."""
    with open_id_provider() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    built_page: Path,
    example: Path,
    provider: OpenIdProvider,
) -> Iterator[ServiceDeployment]:
    """A service where Anna is an admin; its tests add members of their own."""
    del built_page, example
    with deployed(tmp_path_factory.mktemp("sign-in"), config=CONFIG) as made:
        provider.allow(f"{made.url}/api/sign-in/callback")
        made.serve(
            STEMSET_OIDC_ISSUER=provider.issuer,
            STEMSET_OIDC_CLIENT_ID=provider.client_id,
            STEMSET_OIDC_CLIENT_SECRET=provider.client_secret,
            STEMSET_OIDC_NAME="Example",
            STEMSET_PUBLIC_URL=made.url,
            STEMSET_ADMINS=ADMIN,
        )
        yield made


@pytest.fixture
def signed_in(service: ServiceDeployment, open_page: OpenPage) -> SignIn:
    """Opens a page, in a browser of its own, and signs in there."""

    def opened(login: str = "anna", **more: object) -> Page:
        page = open_page(service.url, **more)
        sign_in(page, login)
        expect(page.get_by_role("heading", name="Add recordings")).to_be_visible()
        return page

    return opened


def sign_in(page: Page, login: str, by: str = WAYS_IN) -> None:
    page.get_by_role("link", name=by).click()
    page.get_by_label("Account").fill(login)
    page.get_by_role("button", name="Continue").click()


def open_menu(page: Page, choice: str) -> None:
    """Choose something in the menu of the account."""
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name=re.compile(f"^{choice}…?$")).click()


def members(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Members")


def add_member(page: Page, email: str, profile: str | None = None) -> None:
    """Add one, from the dialog of members."""
    members(page).get_by_role("button", name="Add a member").click()
    form = page.get_by_role("dialog", name="Add a member")
    form.get_by_label("E-mail address").fill(email)
    if profile is not None:
        form.get_by_label("These profiles alone").click()
        form.get_by_role("checkbox", name=profile).click()
    form.get_by_role("button", name="Add", exact=True).click()
    expect(members(page).get_by_role("status")).to_have_text(f"{email} may sign in from now on.")


def change_member(page: Page, email: str, choice: str) -> None:
    members(page).get_by_role("button", name=f"More for {email}").click()
    members(page).get_by_role("button", name=choice).click()


def end_everywhere(page: Page) -> None:
    """Sign out on all devices, as whoever is signed in in a page."""
    open_menu(page, "Sign out on all devices")
    dialog = page.get_by_role("dialog", name="Sign out on all devices?")
    dialog.get_by_role("button", name="Sign out on all devices").click()
    expect(page.get_by_role("link", name=WAYS_IN)).to_be_visible()


def test_member_who_signs_in_is_where_they_wanted_to_go(
    service: ServiceDeployment, open_page: OpenPage
):
    page = open_page(f"{service.url}/nowhere?at=all#never")
    expect(page.get_by_role("heading", name="Stemset")).to_be_visible()
    expect(page.get_by_role("heading", name="There is nothing here")).to_have_count(0)

    sign_in(page, "anna")

    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert page.url == f"{service.url}/nowhere?at=all#never"
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Account").click()
    expect(page.get_by_text("Anna Apple")).to_be_visible()


def test_member_who_signs_out_is_asked_to_sign_in(signed_in: SignIn):
    page = signed_in()

    open_menu(page, "Sign out")

    expect(page.get_by_role("link", name=WAYS_IN)).to_be_visible()
    expect(page.get_by_role("button", name="Account")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("link", name=WAYS_IN)).to_be_visible()


def test_stranger_is_told_why_and_may_use_another_account(
    service: ServiceDeployment, open_page: OpenPage
):
    page = open_page(f"{service.url}/nowhere")
    sign_in(page, "stranger")
    expect(page.get_by_role("heading", name="This address may not sign in")).to_be_focused()

    sign_in(page, "anna", by="Use another account")

    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    assert page.url == f"{service.url}/nowhere"


def test_person_who_cancels_at_the_provider_is_told_so(
    service: ServiceDeployment, open_page: OpenPage
):
    page = open_page(service.url)
    page.get_by_role("link", name=WAYS_IN).click()
    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_role("heading", name="You did not sign in")).to_be_visible()
    expect(page.get_by_role("link", name=WAYS_IN)).to_be_visible()


def test_member_who_signs_out_everywhere_is_signed_out_in_other_browsers(signed_in: SignIn):
    other = signed_in(expect=REFUSED)
    page = signed_in()

    end_everywhere(page)

    told = other.get_by_role("heading", name="You were signed out")
    expect(told).to_be_visible(timeout=NOTICED_WITHIN_MS)
    expect(other.get_by_role("heading", name="Add recordings")).to_have_count(0)
    other.get_by_role("link", name=WAYS_IN).click()  # the provider still knows who it is
    expect(other.get_by_role("heading", name="Add recordings")).to_be_visible()


def test_session_that_ends_leaves_what_was_typed_and_sent_until_the_next_one(
    signed_in: SignIn, tmp_path: Path
):
    take = write_take(tmp_path / "long.wav", 2.5 * PART_BYTES)
    other = signed_in(expect=REFUSED)
    slow_down(other, SLOW / 4)
    choose_file(other, take)
    expect(row(other, take.name)).to_contain_text(re.compile("Sent [1-9]"))
    open_menu(other, "Members")
    members(other).get_by_role("button", name="Add a member").click()
    other.get_by_label("E-mail address").fill("half-typed")
    end_everywhere(signed_in())

    told = other.get_by_role("dialog", name="You were signed out")
    expect(told).to_be_visible(timeout=NOTICED_WITHIN_MS)
    other.keyboard.press("Escape")
    other.keyboard.press("Escape")
    expect(told).to_be_visible()
    slow_down(other, 0)
    with other.expect_popup() as opened:
        other.get_by_role("link", name=WAYS_IN).click()
    tab = opened.value
    expect(tab.get_by_role("heading", name="You are signed in")).to_be_visible()
    tab.close()

    expect(told).to_have_count(0)
    expect(other.get_by_label("E-mail address")).to_have_value("half-typed")
    expect(row(other, take.name)).to_contain_text("given to a job", timeout=NOTICED_WITHIN_MS)


def test_admin_adds_a_member_who_may_sign_in_until_they_are_removed(
    signed_in: SignIn,
):
    admin = signed_in()
    open_menu(admin, "Members")
    expect(members(admin).get_by_role("listitem").filter(has_text=ADMIN)).to_contain_text(
        "by the service's configuration"
    )
    add_member(admin, "ben@example.org", profile="lossless")

    ben = signed_in("ben", expect=REFUSED)
    expect(ben.get_by_text("Makes vocals and accompaniment, as FLAC files")).to_be_visible()
    ben.get_by_role("button", name="Account").click()
    expect(ben.get_by_text("Member, for lossless")).to_be_visible()
    expect(ben.get_by_role("button", name="Members")).to_have_count(0)

    change_member(admin, "ben@example.org", "Remove")
    question = admin.get_by_role("dialog", name="Remove ben@example.org?")
    question.get_by_role("button", name="Remove", exact=True).click()
    expect(members(admin).get_by_text("ben@example.org may not sign in any more.")).to_be_visible()
    status = "fetch('/api/jobs').then((r) => r.status)"
    wait_for(lambda: ben.evaluate(status) == 401, "Ben's session has ended")
    ben.reload()
    ben.get_by_role("link", name=WAYS_IN).click()
    expect(ben.get_by_role("heading", name="This address may not sign in")).to_be_visible()


def test_admin_changes_what_a_member_may_do_and_reads_of_it(signed_in: SignIn):
    admin = signed_in()
    open_menu(admin, "Members")
    add_member(admin, "carla@example.org")

    change_member(admin, "carla@example.org", "Change what they may do")
    form = admin.get_by_role("dialog", name="What carla@example.org may do")
    form.get_by_label("May do what").select_option("admin")
    form.get_by_role("button", name="Change").click()
    carla = members(admin).get_by_role("listitem").filter(has_text="carla@example.org")
    expect(carla).to_contain_text("Admin")
    members(admin).get_by_role("button", name="Close").click()

    open_menu(admin, "Activity")
    newest = admin.get_by_role("dialog", name="Activity").get_by_role("listitem").first
    expect(newest).to_contain_text("anna@example.org let carla@example.org sign in, as an admin")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_views_have_no_barriers_and_fit_a_phone(
    service: ServiceDeployment,
    open_page: OpenPage,
    axe: Callable[[Page], list[str]],
    screenshot: Callable[[Page, str], Path],
    theme: Theme,
):
    page = open_page(service.url, theme=theme, screen=PHONE, expect=REFUSED)

    def look(name: str, shown: Locator) -> None:
        expect(shown).to_be_visible()
        screenshot(page, f"{name}-{theme}")
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    look("sign-in", page.get_by_role("link", name=WAYS_IN))
    sign_in(page, "stranger")
    look("sign-in-refused", page.get_by_role("link", name="Use another account"))
    sign_in(page, "anna", by="Use another account")
    page.get_by_role("button", name="Account").click()
    look("account", page.get_by_role("button", name="Members"))
    page.get_by_role("button", name="Members").click()
    look("members", members(page).get_by_text(ADMIN, exact=True))
    members(page).get_by_role("button", name="Add a member").click()
    page.get_by_label("These profiles alone").click()
    page.get_by_role("button", name="Add", exact=True).click()
    look("member-form", page.get_by_text("Type the address that the person signs in with."))
    page.get_by_role("button", name="Cancel", exact=True).click()
    members(page).get_by_role("button", name="Close").click()
    open_menu(page, "Activity")
    activity = page.get_by_role("dialog", name="Activity")
    look("activity", activity.get_by_text("was not let in: the address is not on the list").first)
    page.evaluate("fetch('/api/session', {method: 'DELETE'})")
    activity.get_by_role("button", name="Close").click()
    open_menu(page, "Members")
    look("signed-out", page.get_by_role("dialog", name="You were signed out"))
