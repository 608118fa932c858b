"""Who may read metrics, and what every process shows."""

import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stemset import __version__
from stemset.metrics import exposition, may_read

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", f"BEARER {TOKEN} "])
def test_metrics_are_read_with_the_token(given: str):
    assert may_read(given, TOKEN)


@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ü\ud800"],
)
def test_metrics_are_not_read_without_it(given: str | None):
    assert not may_read(given, TOKEN)


@pytest.mark.parametrize("given", [None, "Bearer ", "Bearer None"])
def test_metrics_without_a_token_are_read_by_nobody(given: str | None):
    assert not may_read(given, None)


def test_every_process_shows_its_version_and_what_it_uses():
    families = text_string_to_metric_families(exposition().decode())
    shown = {each.name: [(s.labels, s.value) for s in each.samples] for each in families}

    assert shown["stemset_build_info"] == [({"version": __version__}, 1)]
    if sys.platform == "linux":
        assert shown["process_resident_memory_bytes"][0][1] > 1e6
