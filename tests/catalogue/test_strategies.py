import pytest

from stemset.catalogue.strategies import (
    BUILT_IN,
    Leaf,
    Node,
    find_strategy,
    only,
    parse_strategy,
    terms,
)
from stemset.errors import InvalidStrategy, UnknownStrategy

TWO_DEEP = {
    "_": "spleeter-2stems",
    "vocals": {"_": "spleeter-2stems", "vocals": "lead", "not_vocals": "bleed"},
    "accompaniment": "band",
}


def test_parse_strategy_of_two_nodes_gives_the_tree() -> None:
    strategy = parse_strategy(TWO_DEEP)

    inner = Node("spleeter-2stems", (("vocals", Leaf("lead")), ("not_vocals", Leaf("bleed"))))
    assert strategy == Node("spleeter-2stems", (("vocals", inner), ("accompaniment", Leaf("band"))))
    assert strategy.stems() == ("lead", "bleed", "band")
    assert strategy.models() == ("spleeter-2stems",)
    assert strategy.tree() == TWO_DEEP


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"vocals": "vocals"}, "'_' must name a model"),
        ({"_": "nothing", "vocals": "vocals"}, "There is no model 'nothing'"),
        ({"_": "spleeter-2stems"}, "no slot of spleeter-2stems is listed"),
        ({"_": "spleeter-2stems", "drums": "drums"}, "there is no slot 'drums'"),
        ({"_": "spleeter-2stems", "not_drums": "d"}, "there is no slot 'not_drums'"),
        ({"_": "spleeter-2stems", "vocals": "a", "accompaniment": "A"}, "two stems are named"),
        ({"_": "spleeter-2stems", "vocals": "../x"}, "cannot name a stem"),
        ({"_": "spleeter-2stems", "vocals": ""}, "cannot name a stem"),
        ({"_": "spleeter-2stems", "vocals": ["a"]}, "expected a stem's name or a mapping"),
        ({"_": "spleeter-2stems", 7: "a"}, "there is no slot 7"),
        ({"_": "htdemucs", "drums+drums": "d"}, r"'drums\+drums'.*and sums as drums\+bass\."),
        ({"_": "htdemucs", "not_drums+": "d"}, r"there is no slot 'not_drums\+'"),
        ({"_": "htdemucs", "drums+not_bass": "d"}, r"there is no slot 'drums\+not_bass'"),
        (None, "expected a stem's name or a mapping"),
    ],
)
def test_parse_strategy_that_is_illegal_names_the_place(tree: object, says: str) -> None:
    with pytest.raises(InvalidStrategy, match=says):
        parse_strategy(tree, "mine")


@pytest.mark.parametrize("slot", ["drums+bass", "not_drums+bass", "not_other"])
def test_parse_strategy_of_a_sum_keeps_it_as_written(slot: str) -> None:
    tree = {"_": "htdemucs", slot: "band"}
    assert parse_strategy(tree).tree() == tree


def test_terms_are_the_slots_of_a_sum() -> None:
    assert terms("drums") == (("drums",), False)
    assert terms("not_drums+bass") == (("drums", "bass"), True)


def test_model_by_another_name_is_written_by_its_own() -> None:
    strategy = parse_strategy({"_": "vocals_mel_band_roformer.ckpt", "vocals": "vocals"})
    assert strategy.models() == ("melband_roformer_kim",)


def test_successive_as_configurations_write_it_is_the_built_in_one() -> None:
    tree = {
        "_": "vocals_mel_band_roformer.ckpt",
        "vocals": "vocals",
        "not_vocals": {
            "_": "kuielab_b_drums.onnx",
            "drums": "drums",
            "not_drums": {"_": "kuielab_a_bass.onnx", "bass": "bass", "not_bass": "other"},
        },
    }

    strategy = parse_strategy(tree)

    assert strategy == BUILT_IN["successive"]
    assert strategy.models() == ("melband_roformer_kim", "kuielab_b_drums", "kuielab_a_bass")
    assert strategy.stems() == ("vocals", "drums", "bass", "other")


def test_parse_strategy_that_is_too_deep_is_refused() -> None:
    tree: object = "vocals"
    for _ in range(9):
        tree = {"_": "spleeter-2stems", "vocals": tree}
    with pytest.raises(InvalidStrategy, match="at most 8 models deep"):
        parse_strategy(tree)


def test_find_strategy_prefers_the_configured_one() -> None:
    own = parse_strategy({"_": "spleeter-2stems", "vocals": "voice"})
    assert find_strategy("spleeter-2stems", {"spleeter-2stems": own}) is own
    assert find_strategy("spleeter-2stems") is BUILT_IN["spleeter-2stems"]


def test_find_strategy_that_does_not_exist_lists_the_known_ones() -> None:
    with pytest.raises(UnknownStrategy, match="spleeter-2stems, vocals-only, minus-vocals"):
        find_strategy("succesive")


def test_only_the_wanted_stems_are_left_with_the_models_that_they_need() -> None:
    strategy = parse_strategy(TWO_DEEP)

    assert only(strategy, ["band"]).tree() == {"_": "spleeter-2stems", "accompaniment": "band"}
    assert only(strategy, ["bleed"]).tree() == {
        "_": "spleeter-2stems",
        "vocals": {"_": "spleeter-2stems", "not_vocals": "bleed"},
    }
    assert only(strategy, ["band", "lead", "bleed"]) == strategy


@pytest.mark.parametrize("stems", [[], ["drums"], ["lead", "drums"]])
def test_only_of_stems_that_are_not_there_is_refused(stems: list[str]) -> None:
    with pytest.raises(InvalidStrategy, match="lead, bleed, band"):
        only(parse_strategy(TWO_DEEP), stems)
