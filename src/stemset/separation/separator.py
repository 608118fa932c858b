"""The streaming engine: a mix goes in block by block, the signals of a strategy come out."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from stemset.audio.resample import Resampler
from stemset.errors import NetworkFailed
from stemset.separation.channels import ChannelMap
from stemset.separation.network import Network, Samples
from stemset.separation.overlap_add import OverlapAdd
from stemset.separation.signals import Combination, Signal, SignalNode, SignalPlan
from stemset.separation.statistics import Normalisation


class Separator:
    """Streams one recording through a strategy.

    Memory: per node one chunk of input and one overlap of output, whatever the length.
    """

    def __init__(
        self,
        plan: SignalPlan,
        networks: Mapping[str, Network],
        *,
        rate_hz: int,
        channels: tuple[str, ...],
        normalisation: Normalisation | None = None,
    ) -> None:
        """Set up the stream.

        Args:
            plan: The strategy's signals.
            networks: A loaded network for each model of the plan.
            rate_hz: The recording's rate.
            channels: The recording's channels.
            normalisation: What networks that want it are scaled by. Networks below the root take
                the recording's too: their own input is known only when it has been computed.
        """
        self._channels = ChannelMap(channels)
        self._rate_hz = rate_hz
        inner_rate_hz = networks[plan.root.model].rate_hz
        self._inwards = Resampler(rate_hz, inner_rate_hz, len(channels))
        self._root = _NodeStream(
            plan.root,
            networks,
            lanes=self._channels.lanes,
            rate_hz=inner_rate_hz,
            normalisation=normalisation,
        )
        self._outwards: dict[Signal, Resampler] = {}

    def push(self, mix: NDArray[np.floating]) -> Iterator[tuple[Signal, Samples]]:
        """Take a block of the mix, ``(channels, frames)`` at the recording's rate.

        Yields:
            Signals and their next block, ``(channels, n)`` at the recording's rate. Each signal's
            blocks are in order; how far the signals have come may differ.

        Raises:
            NetworkFailed: A network failed.
        """
        block = self._inwards.push(mix.astype(np.float32, copy=False))
        yield from self._leave(self._root.push(self._split(block)))

    def finish(self) -> Iterator[tuple[Signal, Samples]]:
        """End the mix. Yields as ``push``; rounding can leave a signal a frame long or short."""
        yield from self._leave(self._root.push(self._split(self._inwards.finish())))
        yield from self._leave(self._root.finish())
        for signal, resampler in self._outwards.items():
            yield signal, _float32(resampler.finish())

    def _split(self, block: NDArray[np.generic]) -> Samples:
        return self._channels.split(_float32(block))

    def _leave(
        self, blocks: Iterator[tuple[Signal, int, Samples]]
    ) -> Iterator[tuple[Signal, Samples]]:
        for signal, rate_hz, lanes in blocks:
            block = self._channels.join(lanes)
            if signal not in self._outwards:
                self._outwards[signal] = Resampler(rate_hz, self._rate_hz, len(block))
            yield signal, _float32(self._outwards[signal].push(block))


class _NodeStream:
    """One node and all below it. Yields signals with the rate that they have."""

    def __init__(
        self,
        node: SignalNode,
        networks: Mapping[str, Network],
        *,
        lanes: int,
        rate_hz: int,
        normalisation: Normalisation | None,
    ) -> None:
        self._network = networks[node.model]
        self._outputs = node.outputs
        self._lanes = lanes
        self._inwards = Resampler(rate_hz, self._network.rate_hz, 2 * lanes)
        self._stream = OverlapAdd(
            self._network, lanes, normalisation if self._network.normalised else None
        )
        self._below = {
            output.signal: _NodeStream(
                output.node,
                networks,
                lanes=lanes,
                rate_hz=self._network.rate_hz,
                normalisation=normalisation,
            )
            for output in node.outputs
            if output.node
        }

    def push(self, mix: Samples) -> Iterator[tuple[Signal, int, Samples]]:
        yield from self._leave(self._stream.push(self._stack(self._inwards.push(_flat(mix)))))

    def finish(self) -> Iterator[tuple[Signal, int, Samples]]:
        yield from self._leave(self._stream.push(self._stack(self._inwards.finish())))
        yield from self._leave(self._stream.finish())
        for below in self._below.values():
            yield from below.finish()

    def _leave(
        self, chunks: Iterator[tuple[Samples, Samples]]
    ) -> Iterator[tuple[Signal, int, Samples]]:
        for mix, slots in chunks:
            if not np.isfinite(slots.sum()):
                raise NetworkFailed("The network gave NaN or infinite samples.")
            for output in self._outputs:
                block = self._combine(output.combination, mix, slots)
                if output.emitted:
                    yield output.signal, self._network.rate_hz, block
                if output.signal in self._below:
                    yield from self._below[output.signal].push(block)

    def _combine(self, combination: Combination, mix: Samples, slots: Samples) -> Samples:
        """Build an output (lanes, 2, n) from the mix and the slots (lanes, slots, 2, n)."""
        total = mix.copy() if combination.takes_input else np.zeros_like(mix)
        for slot, factor in combination.factors.items():
            signal = slots[:, self._network.slots.index(slot)]
            if factor > 0:
                total += signal
            else:
                total -= signal
        return total

    def _stack(self, block: NDArray[np.generic]) -> Samples:
        return _float32(block).reshape(self._lanes, 2, block.shape[-1])


def _flat(lanes: Samples) -> Samples:
    return lanes.reshape(2 * len(lanes), lanes.shape[-1])


def _float32(block: NDArray[np.generic]) -> Samples:
    """What a resampler gives, without a copy: it keeps the type of what it took."""
    return block.astype(np.float32, copy=False)
