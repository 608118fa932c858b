"""Which signals a strategy needs, and which of its stems closes the sum.

Every slot of a node is a combination of the node's input and the network's outputs. Where one
stem is the input minus everything else, it is not taken from the tree but computed at the very
end, from the samples of the other stems as they stand in their files: so the stems add up to the
mix exactly, whatever resampling and rounding did to the others.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from stemset.catalogue.entries import find
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.strategies import Leaf, Node, terms

Signal = tuple[str, ...]
"""A signal's identity: the slots that lead to it from the root."""


@dataclass(frozen=True, slots=True)
class Combination:
    """``takes_input × input + Σ factor × slot``: what a slot is made of.

    Attributes:
        takes_input: 1 if the node's input is part of it, otherwise 0.
        factors: Factor of each network slot that is part of it.
    """

    takes_input: int
    factors: Mapping[str, int]

    def plus(self, other: "Combination") -> "Combination":
        """The sum of both."""
        total = Counter(self.factors)
        total.update(other.factors)
        factors = {slot: factor for slot, factor in total.items() if factor}
        return Combination(self.takes_input + other.takes_input, factors)

    def complement(self) -> "Combination":
        """The node's input minus this."""
        return Combination(
            1 - self.takes_input, {slot: -factor for slot, factor in self.factors.items()}
        )


@dataclass(frozen=True, slots=True)
class Output:
    """One signal that leaves a node.

    Attributes:
        signal: Its identity.
        combination: What it is made of.
        emitted: Whether it leaves the tree, as a stem or to be subtracted from the mix.
        node: The node that consumes it, if any.
    """

    signal: Signal
    combination: Combination
    emitted: bool
    node: "SignalNode | None"


@dataclass(frozen=True, slots=True)
class SignalNode:
    """A node of the strategy with the signals that leave it."""

    model: str
    outputs: tuple[Output, ...]

    def network_slots(self) -> frozenset[str]:
        """The network's slots that are needed here."""
        return frozenset(slot for output in self.outputs for slot in output.combination.factors)


@dataclass(frozen=True, slots=True)
class ClosingStem:
    """The stem that is the mix minus other signals.

    Attributes:
        stem: Its name.
        subtracted: The signals to subtract from the mix.
    """

    stem: str
    subtracted: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class SignalPlan:
    """A strategy, ready to be streamed.

    Attributes:
        root: The tree.
        stems: Every stem that the tree computes, and its signal.
        closing: The stem that is computed last, if the strategy has one.
        adds_up: Whether all stems together are the mix.
        names: All stems in the order written, the closing one included.
    """

    root: SignalNode
    stems: Mapping[str, Signal]
    closing: ClosingStem | None
    adds_up: bool
    names: tuple[str, ...]

    def network_slots(self) -> dict[str, frozenset[str]]:
        """For each model, the network's slots that any of its nodes needs."""
        needed: dict[str, frozenset[str]] = {}
        for node in _nodes(self.root):
            needed[node.model] = needed.get(node.model, frozenset()) | node.network_slots()
        return needed

    def of_stems(self) -> "SignalPlan":
        """The same stems where they are written already, each a signal of its own.

        Only stems that add up have one that closes: it has the last word on the others' rounding.
        """
        closing = self.closing if self.adds_up else None
        stems = {name: (name,) for name in self.names if not closing or name != closing.stem}
        if closing:
            closing = ClosingStem(closing.stem, tuple(stems.values()))
        return replace(self, stems=stems, closing=closing)

    def depth_frames(self) -> int:
        """Frames of all chunks that a sample can wait in, at the models' rates."""
        return _depth_frames(self.root)


def plan_signals(strategy: Node, *, original_manner: bool = False) -> SignalPlan:
    """Work out the signals of a strategy.

    Args:
        strategy: The tree.
        original_manner: Take every stem from its network, as the network's authors do, even if
            the stems do not add up.
    """
    planner = _Planner(original_manner=original_manner)
    closing_signal, closing = planner.closing(strategy) or (None, None)
    wanted = {signal: stem for signal, stem in _leaves(strategy) if signal != closing_signal}
    subtracted = closing.subtracted if closing else ()
    return SignalPlan(
        root=planner.node(strategy, (), frozenset({*wanted, *subtracted})),
        stems={stem: signal for signal, stem in wanted.items()},
        closing=closing,
        adds_up=closing is not None and planner.is_complete(strategy),
        names=strategy.stems(),
    )


@dataclass(frozen=True, slots=True)
class _Planner:
    original_manner: bool

    def combination(self, node: Node, slot: str) -> Combination:
        entry = find(node.model)
        names, is_complement = terms(slot)
        total = Combination(0, {})
        for name in names:
            total = total.plus(self._estimate(node, entry, name))
        return total.complement() if is_complement else total

    def _estimate(self, node: Node, entry: ModelEntry, slot: str) -> Combination:
        """What one slot of the network is made of."""
        if slot != entry.closing_slot or not self._closes(node, entry):
            return Combination(0, {slot: 1})
        others = {other: 1 for other in entry.slots if other != slot}
        return Combination(0, others).complement()

    def _closes(self, node: Node, entry: ModelEntry) -> bool:
        """Whether the closing slot is what the others leave, rather than the network's own."""
        if self.original_manner:
            return False
        listed = {slot for slot, _ in node.slots}
        return not entry.closing_is_estimated or listed >= set(entry.slots)

    def node(self, node: Node, path: Signal, emitted: frozenset[Signal]) -> SignalNode:
        """Plan a node whose signals begin with ``path``."""
        listed = dict(node.slots)
        hidden = (s[-1] for s in sorted(emitted) if s[:-1] == path and s[-1] not in listed)
        outputs: list[Output] = []
        for slot in (*listed, *hidden):
            signal, target = (*path, slot), listed.get(slot)
            below = self.node(target, signal, emitted) if isinstance(target, Node) else None
            if signal in emitted or below:
                combination = self.combination(node, slot)
                outputs.append(Output(signal, combination, signal in emitted, below))
        return SignalNode(node.model, tuple(outputs))

    def closing(self, node: Node, path: Signal = ()) -> tuple[Signal, ClosingStem] | None:
        """Follow the slots that are the input minus others, down to a stem."""
        for slot, target in node.slots:
            combination = self.combination(node, slot)
            if not combination.takes_input:
                continue
            here = tuple(s for taken in combination.factors for s in self._parts(node, path, taken))
            signal = (*path, slot)
            if isinstance(target, Leaf):
                return signal, ClosingStem(target.stem, here)
            if below := self.closing(target, signal):
                found, stem = below
                return found, ClosingStem(stem.stem, (*here, *stem.subtracted))
        return None

    def is_complete(self, node: Node) -> bool:
        """Whether a node's stems add up to its input."""
        combinations = [self.combination(node, slot) for slot, _ in node.slots]
        total: Counter[str] = Counter()
        for combination in combinations:
            for slot, factor in combination.factors.items():
                total[slot] += factor
        return (
            sum(combination.takes_input for combination in combinations) == 1
            and not any(total.values())
            and all(self.is_complete(below) for _, below in node.slots if isinstance(below, Node))
        )

    def _parts(self, node: Node, path: Signal, slot: str) -> Iterator[Signal]:
        """The signals that make up a network's slot: its stems if they do, otherwise itself."""
        target, signal = dict(node.slots).get(slot), (*path, slot)
        if isinstance(target, Node) and self.is_complete(target):
            for leaf, _ in _leaves(target, signal):
                yield leaf
        else:
            yield signal


def _leaves(node: Node, path: Signal = ()) -> Iterator[tuple[Signal, str]]:
    for slot, target in node.slots:
        if isinstance(target, Leaf):
            yield (*path, slot), target.stem
        else:
            yield from _leaves(target, (*path, slot))


def _nodes(node: SignalNode) -> Iterator[SignalNode]:
    yield node
    for output in node.outputs:
        if output.node:
            yield from _nodes(output.node)


def _depth_frames(node: SignalNode) -> int:
    below = (_depth_frames(output.node) for output in node.outputs if output.node)
    return find(node.model).chunk_frames + max(below, default=0)
