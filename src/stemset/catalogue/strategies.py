"""Strategies: trees of models whose slots become stems, or the input of a further model.

As written in a configuration::

    {_: spleeter-2stems, vocals: vocals, accompaniment: {_: other-model, drums: drums}}

A node names its model under ``_``; every other key is a slot, its value the name of a stem or a
further node. Slots that are not listed are dropped. ``<slot>+<slot>`` is a sum, ``not_<slot>`` is
the node's input minus that slot, ``not_<slot>+<slot>`` is the input minus both.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stemset.catalogue.entries import find
from stemset.catalogue.entry import ModelEntry
from stemset.errors import InvalidStrategy, UnknownModel, UnknownStrategy

_COMPLEMENT_PREFIX = "not_"
_PLUS = "+"
DEFAULT_STRATEGY = "spleeter-2stems"

_MODEL_KEY = "_"
_MAX_DEPTH = 8
_STEM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A final stem."""

    stem: str


@dataclass(frozen=True, slots=True)
class Node:
    """A model and where its slots go.

    Attributes:
        model: Name of a catalogue entry.
        slots: Slot and target, in the order written.
    """

    model: str
    slots: tuple[tuple[str, "Node | Leaf"], ...]

    def stems(self) -> tuple[str, ...]:
        """Names of the final stems, in the order written."""
        return tuple(_stems(self))

    def models(self) -> tuple[str, ...]:
        """Names of the models, each once, in the order in which the tree meets them."""
        return tuple(dict.fromkeys(_models(self)))

    def tree(self) -> dict[str, object]:
        """The strategy as it is written in a configuration."""
        return {
            _MODEL_KEY: self.model,
            **{slot: t.stem if isinstance(t, Leaf) else t.tree() for slot, t in self.slots},
        }


def parse_strategy(tree: object, name: str = "strategy") -> Node:
    """Read a strategy as it is written in a configuration.

    Args:
        tree: Nested mappings, as YAML or JSON gives them.
        name: What to call it in messages.

    Raises:
        InvalidStrategy: The tree is not a legal strategy; the message names the place.
    """
    strategy = _parse_node(tree, name, depth=1)
    stems = strategy.stems()
    # File systems that fold case must not make two stems one file.
    folded = [stem.casefold() for stem in stems]
    if twice := next((stem for stem in stems if folded.count(stem.casefold()) > 1), None):
        raise InvalidStrategy(f"{name}: two stems are named {twice!r}; names must differ.")
    return strategy


def find_strategy(name: str, own: Mapping[str, Node] | None = None) -> Node:
    """Look a strategy up by its name; a configuration's own ones shadow the built-in ones.

    Raises:
        UnknownStrategy: There is none; the message lists those that there are.
    """
    known = {**BUILT_IN, **(own or {})}
    try:
        return known[name]
    except KeyError:
        raise UnknownStrategy(
            f"There is no strategy {name!r}. Known strategies: {', '.join(known)}."
        ) from None


def every_slot(entry: ModelEntry) -> Node:
    """The strategy that takes every slot of one model as a stem of the slot's name."""
    return Node(entry.name, tuple((slot, Leaf(slot)) for slot in entry.slots))


def only(strategy: Node, stems: Collection[str], name: str = "strategy") -> Node:
    """The strategy with no other stems than those that are wanted.

    Raises:
        InvalidStrategy: None is wanted, or one that the strategy does not give.
    """
    known = strategy.stems()
    if unknown := [stem for stem in stems if stem not in known]:
        raise InvalidStrategy(
            f"{name}: there is no stem {unknown[0]!r}; there are {', '.join(known)}."
        )
    pruned = _only(strategy, frozenset(stems))
    if not isinstance(pruned, Node):
        raise InvalidStrategy(f"{name}: no stem is wanted; there are {', '.join(known)}.")
    return pruned


def _only(target: Node | Leaf, stems: frozenset[str]) -> Node | Leaf | None:
    """What is left of a target, None if nothing of it is wanted."""
    if isinstance(target, Leaf):
        return target if target.stem in stems else None
    slots = [(slot, _only(below, stems)) for slot, below in target.slots]
    left = tuple((slot, below) for slot, below in slots if below is not None)
    return Node(target.model, left) if left else None


def _parse_node(tree: object, place: str, depth: int) -> Node:
    if not isinstance(tree, Mapping):
        raise InvalidStrategy(
            f"{place}: expected a stem's name or a mapping with '_', got {tree!r}."
        )
    if depth > _MAX_DEPTH:
        raise InvalidStrategy(f"{place}: a strategy is at most {_MAX_DEPTH} models deep.")
    model = tree.get(_MODEL_KEY)
    if not isinstance(model, str):
        raise InvalidStrategy(f"{place}: '_' must name a model, got {model!r}.")
    try:
        entry = find(model)
    except UnknownModel as error:
        raise InvalidStrategy(f"{place}: {error}") from error
    slots = tuple(
        (_check_slot(slot, entry.slots, place), _parse_target(target, f"{place}.{slot}", depth))
        for slot, target in tree.items()
        if slot != _MODEL_KEY
    )
    if not slots:
        raise InvalidStrategy(
            f"{place}: no slot of {model} is listed; it has {', '.join(entry.slots)}."
        )
    return Node(entry.name, slots)


def terms(slot: str) -> tuple[tuple[str, ...], bool]:
    """Take a slot, as it is written in a strategy, apart.

    Returns:
        The network's slots that are added up, and whether what they leave of the input is meant.
    """
    is_complement = slot.startswith(_COMPLEMENT_PREFIX)
    return tuple(slot.removeprefix(_COMPLEMENT_PREFIX).split(_PLUS)), is_complement


def _check_slot(slot: object, known: tuple[str, ...], place: str) -> str:
    if isinstance(slot, str):
        names, _ = terms(slot)
        if len(set(names)) == len(names) and set(names) <= set(known):
            return slot
    legal = ", ".join((*known, *(_COMPLEMENT_PREFIX + name for name in known)))
    sums = f", and sums as {_PLUS.join(known[:2])}" if len(known) > 1 else ""
    raise InvalidStrategy(f"{place}: there is no slot {slot!r}; the model has {legal}{sums}.")


def _parse_target(target: object, place: str, depth: int) -> Node | Leaf:
    if not isinstance(target, str):
        return _parse_node(target, place, depth + 1)
    if not _STEM_NAME.fullmatch(target):
        raise InvalidStrategy(
            f"{place}: {target!r} cannot name a stem: 1 to 64 letters, digits, spaces or any of "
            "'_+-', beginning with a letter or digit."
        )
    return Leaf(target)


def _stems(target: Node | Leaf) -> Iterator[str]:
    if isinstance(target, Leaf):
        yield target.stem
        return
    for _, below in target.slots:
        yield from _stems(below)


def _models(node: Node) -> Iterator[str]:
    yield node.model
    for _, below in node.slots:
        if isinstance(below, Node):
            yield from _models(below)


_FOUR_STEM_MODELS = ("htdemucs", "htdemucs_ft", "hdemucs_mmi")
_VOCALS_MODELS = ("melband_roformer_kim", "bs_roformer_ep317")
_FOUR_STEMS = {"vocals": "vocals", "drums": "drums", "bass": "bass", "other": "other"}

BUILT_IN: Mapping[str, Node] = MappingProxyType(
    {
        name: parse_strategy(tree, name)
        for name, tree in {
            "spleeter-2stems": {
                "_": "spleeter-2stems",
                "vocals": "vocals",
                "accompaniment": "accompaniment",
            },
            "vocals-only": {"_": "spleeter-2stems", "vocals": "vocals"},
            "minus-vocals": {"_": "spleeter-2stems", "accompaniment": "accompaniment"},
            **{model: {"_": model, **_FOUR_STEMS} for model in _FOUR_STEM_MODELS},
            "htdemucs_6s": {
                "_": "htdemucs_6s",
                **_FOUR_STEMS,
                "guitar": "guitar",
                "piano": "piano",
            },
            **{
                model: {"_": model, "vocals": "vocals", "not_vocals": "accompaniment"}
                for model in _VOCALS_MODELS
            },
            "vocals-then-ft": {
                "_": "melband_roformer_kim",
                "vocals": "vocals",
                "not_vocals": {
                    "_": "htdemucs_ft",
                    "drums": "drums",
                    "bass": "bass",
                    "not_drums+bass": "other",
                },
            },
            "successive": {
                "_": "melband_roformer_kim",
                "vocals": "vocals",
                "not_vocals": {
                    "_": "kuielab_b_drums",
                    "drums": "drums",
                    "not_drums": {"_": "kuielab_a_bass", "bass": "bass", "not_bass": "other"},
                },
            },
        }.items()
    }
)
