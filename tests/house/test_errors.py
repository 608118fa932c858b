"""The error tree: what is drawn is what is raised."""

import inspect
import re
from collections import Counter

import pytest

from stemset import errors
from stemset.errors import StemsetError

DRAWN_LINE = re.compile(
    r"^(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+) +(?P<note>.*?)(?: +(?P<mark>\(retryable\)))?$"
)
INDENT = 4


def drawn_tree() -> dict[str, tuple[str, str, bool]]:
    """Parse the drawing: name → (parent's name, note or code, marked retryable)."""
    drawing = inspect.cleandoc(errors.__doc__ or "").split("```")[1]
    tree: dict[str, tuple[str, str, bool]] = {}
    path: list[str] = []
    for line in drawing.splitlines()[2:]:
        match = DRAWN_LINE.match(line)
        assert match, f"cannot read the drawn line {line!r}"
        path = [*path[: len(match["indent"]) // INDENT - 1], match["name"]]
        parent = path[-2] if len(path) > 1 else "StemsetError"
        tree[match["name"]] = (parent, match["note"], match["mark"] is not None)
    return tree


def all_subclasses(of: type[StemsetError]) -> set[type[StemsetError]]:
    direct = set(of.__subclasses__())
    return direct.union(*(all_subclasses(each) for each in direct))


DRAWN = drawn_tree()
CLASSES = {
    each.__name__: each
    for each in all_subclasses(StemsetError)
    if each.__module__ == errors.__name__
}
LEAVES = {name: each for name, each in CLASSES.items() if not each.__subclasses__()}


def test_tree_drawn_names_are_exactly_the_classes():
    assert set(DRAWN) == set(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_tree_drawn_parent_is_the_base_class(name: str):
    assert DRAWN[name][0] == CLASSES[name].__mro__[1].__name__


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_leaf_drawn_code_and_mark_are_its_own(name: str):
    leaf = LEAVES[name]

    assert DRAWN[name][1:] == (leaf.code, leaf.retryable)


def test_codes_are_unique():
    counted = Counter(leaf.code for leaf in LEAVES.values())

    assert [code for code, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("name", sorted(set(CLASSES) - set(LEAVES)))
def test_branch_has_no_code_so_it_cannot_be_raised_itself(name: str):
    assert "code" not in vars(CLASSES[name])
