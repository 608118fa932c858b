"""Networks that are loaded ahead: whatever goes wrong is said once, by whoever needs them."""

import threading

import pytest

from stemset.catalogue.strategies import find_strategy
from stemset.pipeline import networks
from stemset.pipeline.networks import Networks
from stemset.separation.signals import plan_signals


def test_failure_of_any_kind_is_met_by_who_loads_and_printed_by_nobody(
    example: object, monkeypatch: pytest.MonkeyPatch
):
    del example  # its model is what would be loaded

    def end(*_args: object, **_options: object) -> None:
        raise RuntimeError("can't register atexit after shutdown")

    printed: list[object] = []
    monkeypatch.setattr(networks, "load_network", end)
    monkeypatch.setattr(threading, "excepthook", printed.append)
    plan = plan_signals(find_strategy("spleeter-2stems"))
    shelf = Networks()

    shelf.load_ahead(plan)
    for thread in threading.enumerate():
        if thread.name == "stemset-load":
            thread.join()

    assert printed == []
    with pytest.raises(RuntimeError, match="atexit"):
        shelf.load(plan)
