"""The page of faults names every row of the list, and tests that there are."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
RELIABILITY = ROOT / "docs" / "reliability.md"
PAGES = (RELIABILITY, ROOT / "docs" / "threat-model.md", ROOT / "SECURITY.md")
FAULTS = 45
DASH = "–"

TEST_LINK = re.compile(r"\[(test_\w+)\]\(([^)#]+)\)")
LINK = re.compile(r"\]\(([^)#:]*)(#[^)]*)?\)")
COUNTS = re.compile(r"(\d+) rows: (\d+) are made as they stand, (\d+) in part, (\d+) not at all\.")


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        number: Of the fault.
        fault: In a few words.
        seen: What came of it.
        tests: Links to what makes it.
        missing: What no test makes, in words.
    """

    number: int
    fault: str
    seen: str
    tests: str
    missing: str


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def rows() -> list[Row]:
    """The table; lines that name a group of faults have no number."""
    lines = re.findall(r"^\| (\d+) \|(.*)\|$", text_of(RELIABILITY), re.MULTILINE)
    cells = [(int(number), [each.strip() for each in line.split(" | ")]) for number, line in lines]
    return [Row(number, *each) for number, each in cells]


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Names of a file's functions, those in classes as well."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, kinds))


def anchors_of(page: Path) -> set[str]:
    """What a page's headings can be linked to by."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_fault_is_there_once_and_in_order():
    assert [row.number for row in rows()] == list(range(1, FAULTS + 1))


def test_every_test_that_is_named_is_there():
    named = TEST_LINK.findall(text_of(RELIABILITY))
    paths = [(name, (RELIABILITY.parent / target).resolve()) for name, target in named]

    assert named
    assert [path for _, path in paths if ROOT / "tests" not in path.parents] == []
    assert [path for _, path in paths if not path.is_file()] == []
    assert [name for name, path in paths if name not in functions_of(path)] == []


def test_every_row_has_tests_or_says_why_not():
    for row in rows():
        links = TEST_LINK.findall(row.tests)
        rest = TEST_LINK.sub("", row.tests).replace(",", "").strip()
        assert rest == ("" if links else DASH), f"row {row.number}: {rest!r} is no link to a test"
        assert links or len(row.missing.split()) > 1, f"row {row.number} says nothing"
        assert len(set(links)) == len(links), f"row {row.number} names a test twice"


def test_every_row_says_what_came_of_it():
    for row in rows():
        assert row.fault, row.number
        assert row.seen.endswith("."), row.number
        assert row.missing, row.number


def test_page_counts_its_rows_rightly():
    found = COUNTS.search(text_of(RELIABILITY))
    kinds = Counter(
        "not" if row.tests == DASH else "whole" if row.missing == DASH else "part" for row in rows()
    )

    assert found
    assert [int(each) for each in found.groups()] == [
        FAULTS,
        kinds["whole"],
        kinds["part"],
        kinds["not"],
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_links_to_what_there_is(page: Path):
    links = [
        (page.parent / to if to else page, anchor) for to, anchor in LINK.findall(text_of(page))
    ]

    assert links
    assert [path for path, _ in links if not path.exists()] == []
    assert [
        f"{path.name}{anchor}"
        for path, anchor in links
        if anchor and anchor.removeprefix("#") not in anchors_of(path)
    ] == []
