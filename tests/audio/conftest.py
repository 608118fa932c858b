"""Fixtures of the audio room."""

from collections.abc import Iterator

import psutil
import pytest


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail a test that leaves a process behind."""
    before = {child.pid for child in psutil.Process().children()}
    yield
    after = {child.pid for child in psutil.Process().children()}
    assert after <= before
