"""The page's own unit tests, which run in Node."""

import json
import logging
from pathlib import Path

import pytest
from page_build import npm

log = logging.getLogger(__name__)


@pytest.mark.usefixtures("built_page")
def test_unit_tests_of_the_page_pass(tmp_path: Path):
    report = tmp_path / "report.json"

    npm(
        "run", "--silent", "test", "--",
        "--reporter=default", "--reporter=json", f"--outputFile.json={report}",
    )  # fmt: skip

    found = json.loads(report.read_text())
    log.info("%d tests of the page passed", found["numPassedTests"])
    assert found["numPassedTests"] == found["numTotalTests"] > 0
