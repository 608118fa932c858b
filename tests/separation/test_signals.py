from stemset.catalogue.strategies import find_strategy, parse_strategy
from stemset.separation.signals import ClosingStem, SignalPlan, plan_signals

MODEL = "spleeter-2stems"


def plan(tree: object) -> SignalPlan:
    return plan_signals(parse_strategy(tree))


def test_plan_of_two_stems_closes_the_accompaniment_over_the_vocals() -> None:
    signals = plan_signals(find_strategy(MODEL))

    assert signals.closing == ClosingStem("accompaniment", (("vocals",),))
    assert signals.stems == {"vocals": ("vocals",)}
    assert signals.adds_up
    assert signals.network_slots() == {MODEL: frozenset({"vocals"})}


def test_plan_without_the_vocals_stem_subtracts_the_hidden_signal() -> None:
    signals = plan({"_": MODEL, "accompaniment": "karaoke"})

    assert signals.closing == ClosingStem("karaoke", (("vocals",),))
    assert signals.stems == {}
    assert not signals.adds_up


def test_plan_of_one_direct_stem_has_no_closing_stem() -> None:
    signals = plan({"_": MODEL, "vocals": "vocals"})

    assert signals.closing is None
    assert not signals.adds_up


def test_plan_of_a_complete_inner_node_closes_over_its_leaves() -> None:
    inner = {"_": MODEL, "vocals": "lead", "accompaniment": "bleed"}
    signals = plan({"_": MODEL, "vocals": inner, "accompaniment": "band"})

    assert signals.closing == ClosingStem(
        "band", (("vocals", "vocals"), ("vocals", "accompaniment"))
    )
    assert signals.adds_up
    assert signals.names == ("lead", "bleed", "band")


def test_plan_of_an_incomplete_inner_node_subtracts_the_whole_slot() -> None:
    inner = {"_": MODEL, "vocals": "lead"}
    signals = plan({"_": MODEL, "vocals": inner, "accompaniment": "band"})

    assert signals.closing == ClosingStem("band", (("vocals",),))
    assert not signals.adds_up
    (vocals,) = signals.root.outputs
    assert vocals.emitted
    assert vocals.node is not None


def test_plan_follows_complements_down_to_the_closing_stem() -> None:
    inner = {"_": MODEL, "vocals": "backing", "not_vocals": "band"}
    signals = plan({"_": MODEL, "vocals": "lead", "not_vocals": inner})

    assert signals.closing == ClosingStem("band", (("vocals",), ("not_vocals", "vocals")))
    assert signals.adds_up


def test_plan_of_stems_that_overlap_does_not_claim_the_sum() -> None:
    signals = plan({"_": MODEL, "accompaniment": "band", "not_vocals": "band too"})

    assert signals.closing is not None
    assert not signals.adds_up


def test_plan_in_the_original_manner_takes_every_stem_from_the_network() -> None:
    signals = plan_signals(find_strategy(MODEL), original_manner=True)

    assert signals.closing is None
    assert signals.network_slots() == {MODEL: frozenset({"vocals", "accompaniment"})}
