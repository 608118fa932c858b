"""The guide's section on what is wrong, held against the lines that `stemset doctor` really has."""

import re
from pathlib import Path

import pytest

from stemset.cli.deployment import Line
from stemset.cli.doctor import _checks

GUIDE = Path(__file__).parents[2] / "docs" / "deployment.md"
NAMED = re.compile(r"`([^`]+)`")
NO_LINE = "none"


@pytest.fixture(scope="module")
def section() -> str:
    _, _, after = GUIDE.read_text("utf-8").partition("\n## When something is wrong\n")
    text, _, _ = after.partition("\n## ")
    return text


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What doctor's lines are called, on a machine and of a deployment."""
    monkeypatch.chdir(tmp_path)
    return {name for name, _ in _checks(None, order=False)} | set(Line)


def tables(section: str) -> list[list[list[str]]]:
    """The cells of each table's rows, without its head."""
    found: list[list[list[str]]] = []
    for block in section.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        if rows:
            found.append([[cell.strip() for cell in row.split("|")[1:-1]] for row in rows[2:]])
    return found


def test_guide_explains_every_line_of_a_deployment_and_none_that_is_not(
    section: str, lines: set[str]
) -> None:
    explained = [name for row in tables(section)[0] for name in NAMED.findall(row[0])]

    assert set(explained) <= lines
    assert set(Line) <= set(explained)
    assert len(explained) == len(set(explained))


def test_guide_every_trouble_names_the_lines_that_show_it(section: str, lines: set[str]) -> None:
    troubles = re.findall(r"^\*\*(?P<trouble>.+?)\*\*(?P<lines>[^.]*)\.", section, re.MULTILINE)

    assert len(troubles) >= 6
    for trouble, told in troubles:
        doctor, *named = NAMED.findall(told)
        assert doctor == "doctor", trouble
        assert named, trouble
        assert set(named) <= lines, trouble


def test_guide_every_code_names_the_lines_that_show_it(section: str, lines: set[str]) -> None:
    rows = [row for table in tables(section)[1:] for row in table]

    assert len(rows) >= 20
    for code, named, advice in rows:
        assert advice, code
        assert named == NO_LINE or set(NAMED.findall(named)) <= lines, code
        assert named == NO_LINE or NAMED.findall(named), code
