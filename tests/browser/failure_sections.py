"""What a failed test's fixtures have to say: what pages showed, what services logged."""

from collections.abc import Iterator

from playwright.sync_api import Error
from service_deployment import ServiceDeployment
from watched_pages import WatchedPages

_LOG_CHARACTERS = 4000

Section = tuple[str, str]


def seen_by(fixture: object) -> Iterator[Section]:
    """Headings and texts of a fixture's value, none if it is no page and no service."""
    if isinstance(opened := getattr(fixture, "__self__", None), WatchedPages):
        yield from _pages(opened)
    elif isinstance(fixture, ServiceDeployment):
        yield from _logs(fixture)


def _pages(opened: WatchedPages) -> Iterator[Section]:
    for page in opened.pages:
        try:
            shown = page.locator("body").inner_text(timeout=1000)
        except Error as error:
            shown = f"cannot be read: {error}"
        yield f"Page {page.url}", shown
    if opened.problems:
        yield "Problems of pages", "\n".join(opened.problems)


def _logs(deployment: ServiceDeployment) -> Iterator[Section]:
    for part in deployment.parts:
        yield f"Log {part.log.name}", part.log.read_text("utf-8")[-_LOG_CHARACTERS:]
