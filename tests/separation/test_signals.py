from stemset.catalogue.strategies import find_strategy, parse_strategy
from stemset.separation.signals import ClosingStem, Combination, SignalPlan, plan_signals

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


def test_plan_of_a_sum_and_what_it_leaves_closes_over_the_sum() -> None:
    signals = plan({"_": "htdemucs_ft", "drums+bass": "rhythm", "not_drums+bass": "band"})

    assert signals.closing == ClosingStem("band", (("drums",), ("bass",)))
    assert signals.adds_up
    assert signals.network_slots() == {"htdemucs_ft": {"drums", "bass"}}
    rhythm = next(each for each in signals.root.outputs if each.signal == ("drums+bass",))
    assert rhythm.combination == Combination(0, {"drums": 1, "bass": 1})


def test_sum_with_the_slot_that_closes_is_the_input_minus_the_others() -> None:
    everything = {"drums": "d", "bass": "b", "vocals": "v", "other": "o"}
    signals = plan({"_": "htdemucs", **everything, "bass+other": "band"})

    band = next(each for each in signals.root.outputs if each.signal == ("bass+other",))
    assert band.combination == Combination(1, {"drums": -1, "vocals": -1})


def test_successive_models_take_what_is_left_and_add_up() -> None:
    signals = plan_signals(find_strategy("successive"))

    assert signals.names == ("vocals", "drums", "bass", "other")
    assert signals.adds_up
    assert signals.closing is not None
    assert signals.closing.stem == "other"
    assert signals.network_slots() == {
        "melband_roformer_kim": {"vocals"},
        "kuielab_b_drums": {"drums"},
        "kuielab_a_bass": {"bass"},
    }


def test_better_vocals_leave_the_rest_to_the_specialists_and_add_up() -> None:
    signals = plan_signals(find_strategy("vocals-then-ft"))

    assert signals.names == ("vocals", "drums", "bass", "other")
    assert signals.adds_up
    assert signals.closing == ClosingStem(
        "other", (("vocals",), ("not_vocals", "drums"), ("not_vocals", "bass"))
    )
    assert signals.network_slots() == {
        "melband_roformer_kim": {"vocals"},
        "htdemucs_ft": {"drums", "bass"},
    }


def test_plan_of_written_stems_closes_over_all_others_if_they_add_up() -> None:
    written = plan_signals(find_strategy("successive")).of_stems()

    assert written.closing is not None
    others = [name for name in written.names if name != written.closing.stem]
    assert list(written.stems) == others
    assert written.closing.subtracted == tuple((name,) for name in others)


def test_plan_of_written_stems_that_do_not_add_up_takes_each_as_it_is() -> None:
    written = plan_signals(find_strategy("minus-vocals")).of_stems()

    assert written.closing is None
    assert written.stems == {"accompaniment": ("accompaniment",)}
