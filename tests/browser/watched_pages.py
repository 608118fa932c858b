"""Pages whose errors are noticed: what is logged, thrown, refused or not answered."""

import json
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
)

Theme = Literal["light", "dark"]

WAIT_MS = 15_000
_REFUSED = 400
# A page that is left, and a player that jumps, give up what they asked for.
_GIVEN_UP = "net::ERR_ABORTED"


_HOLD = """
const answered = fetch;
const open = new Promise((resolve) => { globalThis.letGo = resolve; });
globalThis.fetch = async (...call) => {
  const answer = await answered(...call);
  const { method, signal, url } = call[0];
  if (method !== "GET" || new URL(url).pathname !== PATH) return answer;
  const given = new Promise((_, end) => signal.addEventListener("abort", () => end(signal.reason)));
  await Promise.race([open, given]);
  return answer;
};
"""


@dataclass(frozen=True)
class Screen:
    """What a page is shown on.

    Attributes:
        width: In CSS pixels.
        height: In CSS pixels.
        is_phone: Whether it is touched, and lays pages out as phones do.
    """

    width: int
    height: int
    is_phone: bool = False


DESKTOP = Screen(1280, 800)
PHONE = Screen(360, 740, is_phone=True)


@dataclass
class WatchedPages:
    """Opens pages, each as if in a browser of its own.

    Attributes:
        browser: The browser.
        problems: What went wrong in them so far and was not expected.
    """

    browser: Browser
    problems: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        url: str,
        *,
        theme: Theme = "light",
        screen: Screen = DESKTOP,
        reduced_motion: bool = False,
        expect: str | None = None,
        **more: Any,
    ) -> Page:
        """Open a page and wait until it is there.

        Args:
            url: Its address.
            theme: What the system's colours are.
            screen: What it is shown on.
            reduced_motion: Whether the system is set to move less.
            expect: Pattern of what may go wrong, found in a problem's text.
            more: Passed on to the browser's context, for example ``permissions``.
        """
        context = self.browser.new_context(
            color_scheme=theme,
            viewport={"width": screen.width, "height": screen.height},
            is_mobile=screen.is_phone,
            has_touch=screen.is_phone,
            reduced_motion="reduce" if reduced_motion else "no-preference",
            **more,
        )
        self._contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        self._watch(context, re.compile(expect) if expect else None)
        page = context.new_page()
        page.goto(url)
        return page

    @property
    def pages(self) -> list[Page]:
        """The pages that are open."""
        return [page for context in self._contexts for page in context.pages]

    def close(self) -> None:
        """Close all of them."""
        for context in self._contexts:
            context.close()

    def _watch(self, context: BrowserContext, expected: re.Pattern[str] | None) -> None:
        note = partial(self._note, expected)
        context.on("console", lambda message: note(_logged(message)))
        context.on("weberror", lambda error: note(_thrown(error.error)))
        context.on("response", lambda response: note(_refused(response)))
        context.on("requestfailed", lambda request: note(_unanswered(request)))

    def _note(self, expected: re.Pattern[str] | None, problem: str | None) -> None:
        if problem is not None and not (expected and expected.search(problem)):
            self.problems.append(problem)


class HeldAnswers:
    """What the service answers at once to a page's reads, and the page gets when it is let go.

    It begins with the page's next load; a read that the page gives up meanwhile ends there.
    """

    def __init__(self, page: Page, path: str) -> None:
        self._page = page
        page.add_init_script(_HOLD.replace("PATH", json.dumps(path)))

    def let_go(self) -> None:
        """Have the answers arrive, and later ones at once."""
        self._page.evaluate("letGo()")


def drop(
    page: Page, *paths: Path, kinds: tuple[str, ...] = ("dragEnter", "dragOver", "drop")
) -> None:
    """Drop files and folders of this machine onto the page, as a person does."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in kinds:
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 500, "data": data})


def wait_painted(page: Page) -> None:
    """Wait until a page shows what has changed in it."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def _logged(message: ConsoleMessage) -> str | None:
    kind = message.type
    return f"{kind}: {message.text}" if kind in {"error", "warning"} else None


def _thrown(error: Error) -> str:
    return f"thrown: {error.stack or error.message}"


def _refused(response: Response) -> str | None:
    if response.status < _REFUSED:
        return None
    return f"refused: {response.request.method} {response.url}: {response.status}"


def _unanswered(request: Request) -> str | None:
    if request.failure == _GIVEN_UP:
        return None
    return f"unanswered: {request.method} {request.url}: {request.failure}"
