"""``STEMSET_PRECISION`` says whether networks may compute in half precision."""

from dataclasses import dataclass
from typing import Any

import pytest

from stemset.catalogue.strategies import find_strategy
from stemset.errors import InvalidConfig
from stemset.pipeline import networks
from stemset.pipeline.networks import Networks, coarsest_precision, full_precision_is_wanted
from stemset.separation.network import Precision
from stemset.separation.signals import plan_signals


@pytest.mark.parametrize(
    ("value", "full"), [(None, False), ("", False), ("auto", False), ("full", True)]
)
def test_full_precision_is_used_where_it_is_wanted(
    value: str | None, full: bool, example: object, monkeypatch: pytest.MonkeyPatch
):
    del example  # its model is what would be loaded
    asked: list[bool] = []

    def note(*_args: object, full_precision: bool, **_options: object) -> None:
        asked.append(full_precision)

    monkeypatch.setattr(networks, "load_network", note)
    monkeypatch.delenv("STEMSET_PRECISION", raising=False)
    if value is not None:
        monkeypatch.setenv("STEMSET_PRECISION", value)
    strategy = find_strategy("spleeter-2stems")

    Networks().load(plan_signals(strategy))
    Networks().load(plan_signals(strategy, original_manner=True), original_manner=True)

    assert asked == [full, True]  # what is compared with the original is as precise
    assert full_precision_is_wanted() == full


@pytest.mark.parametrize("value", ["half", "FULL", "1"])
def test_precision_that_does_not_exist_is_refused(
    value: str, example: object, monkeypatch: pytest.MonkeyPatch
):
    del example
    monkeypatch.setenv("STEMSET_PRECISION", value)

    with pytest.raises(InvalidConfig, match=f"must be full or auto, got '{value}'"):
        Networks().load(plan_signals(find_strategy("spleeter-2stems")))


@dataclass
class Loaded:
    precision: Precision


@pytest.mark.parametrize(
    ("precisions", "coarsest"),
    [
        (["float32"], "float32"),
        (["float32", "float16", "float32"], "float16"),
        (["bfloat16", "float32"], "bfloat16"),
        (["bfloat16", "float16"], "bfloat16"),
    ],
)
def test_precision_of_several_networks_is_the_coarsest(precisions: list[str], coarsest: str):
    loaded: Any = [Loaded(Precision(each)) for each in precisions]

    assert coarsest_precision(loaded) == coarsest
