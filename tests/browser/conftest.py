"""Fixtures of the browser tests: a real Chromium, and real services with the real model.

::

    def test_play_button_starts_the_stems(ready_output: ReadyOutput, open_page: OpenPage):
        page = open_page(ready_output.page_url, theme="dark", screen=PHONE)
        page.get_by_role("button", name="Play").click()

Every test below this folder has the marker ``browser``. A page that logs an error, warns, throws or
asks for what is refused fails its test, unless ``open_page`` was told to ``expect`` it.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from accessibility import violations_of
from chromium_browser import NoChromium, launched
from failure_sections import seen_by
from page_build import ROOT, build_page
from playwright.sync_api import Browser, Page
from service_deployment import ServiceDeployment, service
from watched_pages import WatchedPages
from web_service import CONFIG, ReadyOutput, separate

SCREENSHOTS = ROOT / "build" / "screenshots"

OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands below this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Put what pages showed and services logged below the traceback of a test that failed."""
    report = yield
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            report.sections += seen_by(value)
    return report


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium; installs it if need be. It keeps an event loop, so it ends with its module."""
    try:
        with launched() as browser:
            yield browser
    except NoChromium as error:
        if sys.platform == "darwin":
            pytest.skip(str(error))
        raise


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens pages (``WatchedPages.open``); what went wrong in them fails the test at its end."""
    pages = WatchedPages(chromium)
    try:
        yield pages.open
    finally:
        pages.close()
    assert pages.problems == []


@pytest.fixture
def screenshot() -> Callable[[Page, str], Path]:
    """Keeps a picture of a whole page below build/screenshots, under a name."""

    def take(page: Page, name: str) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return take


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """Looks for barriers with axe; a line for each that it finds."""
    return violations_of


@pytest.fixture(scope="session")
def built_page() -> Path:
    """The page of this checkout, built if it has changed."""
    return build_page()


@pytest.fixture
def web_service(tmp_path: Path, built_page: Path, example: Path) -> Iterator[ServiceDeployment]:
    """A service of the test's own, which runs and holds nothing; it may be killed and restarted.

    ``web_service.parts[-1].kill()`` ends it hard, ``web_service.serve()`` starts it again at the
    same address.
    """
    del built_page, example  # the page that it gives out, the model that it computes with
    with service(tmp_path, config=CONFIG) as made:
        made.serve()
        yield made


@pytest.fixture(scope="session")
def shared_service(
    tmp_path_factory: pytest.TempPathFactory, built_page: Path, example: Path
) -> Iterator[ServiceDeployment]:
    """A service for all tests that leave it as they find it."""
    del built_page, example
    with service(tmp_path_factory.mktemp("shared-service"), config=CONFIG) as made:
        made.serve()
        yield made


@pytest.fixture(scope="session")
def ready_output(shared_service: ServiceDeployment, example: Path) -> ReadyOutput:
    """The example song, really separated once on the shared service."""
    return separate(shared_service, example)
