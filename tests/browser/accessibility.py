"""Barriers on a page, as axe finds them."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def violations_of(page: Page) -> list[str]:
    """Run axe with all its rules. Returns a line for each element that a rule objects to."""
    page.evaluate(_axe())
    found: list[dict[str, Any]] = page.evaluate(
        "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
    )
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: "
        f"{node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


@cache
def _axe() -> str:
    return AXE.read_text("utf-8")
