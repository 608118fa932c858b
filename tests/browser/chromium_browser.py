"""A real Chromium of this machine, driven by Playwright."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SCRIPT = Path(__file__).parents[2] / "scripts" / "chromium"
# Sound may begin without a click, as it may on a page that a person has used before; and the
# browser calls nobody by itself.
_ARGUMENTS = (
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
)


class NoChromium(Exception):
    """There is none and none can be installed; holds what the script says."""


def executable() -> str:
    """Find it; installs it if need be."""
    found = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise NoChromium(found.stderr.strip())
    return found.stdout.splitlines()[-1]


@contextmanager
def launched(*arguments: str) -> Iterator[Browser]:
    """Start it without a window; it has no sandbox, since tests may run as root.

    Args:
        arguments: More of its command.
    """
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*_ARGUMENTS, *arguments], chromium_sandbox=False
        )
        yield browser
        browser.close()
