"""The page that says how to run the service is in step with the service."""

import re
from pathlib import Path

import pytest
from error_table import HEAD, table

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "docs" / "service.md", ROOT / "docs" / "architecture" / "8-service.md")
PAGE = PAGES[0].read_text("utf-8")
VARIABLE = re.compile(r'"((?:STEMSET|R2)_[A-Z0-9_]+|DATABASE_URL|BACKEND_URL|GPU_WORKER_URL|PORT)"')
# The outputs of `stemset process`; a switch of the fault tests.
NOT_OF_THE_SERVICE = {"STEMSET_MEDIA_DIR", "STEMSET_CRASH_AT"}


def test_page_lists_every_error_as_the_api_answers_it():
    begin = PAGE.index(HEAD)

    assert PAGE[begin:] == table(), "replace it with what tests/api/error_table.py prints"


def test_page_lists_every_variable_of_the_service():
    sources = (ROOT / "src" / "stemset").rglob("*.py")
    read = {name for path in sources for name in VARIABLE.findall(path.read_text("utf-8"))}
    settings = PAGE.partition("## Settings")[2].partition("## Errors")[0]

    assert read - NOT_OF_THE_SERVICE == set(re.findall(r"`([A-Z0-9_]{4,})`", settings))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_links_to_what_there_is(page: Path):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert targets
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_page_links_to_its_own_headings():
    headings = re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors
