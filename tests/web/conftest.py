"""Fixtures of what is checked without a browser: the page as it is built."""

from pathlib import Path

import pytest
from page_build import build_page


@pytest.fixture(scope="session")
def built_page() -> Path:
    """The folder of the page of this checkout, built if it has changed."""
    return build_page()
