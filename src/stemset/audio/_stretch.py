"""Change the speed and the pitch of a stream, each without the other.

The speed is changed by Signalsmith Stretch, the very WebAssembly module that the page's player runs
(``_stretch.wasm``): a phase vocoder with blocks of 120 ms that keeps channels in phase with each
other. The pitch is changed by resampling what it made longer or shorter before: exact to the cent,
where its own pitch shift is some cents off. Why it is this one, and what it was measured against:
``docs/decisions/0010-exports-are-mixed-by-the-service.md``.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from wasmtime import Engine, Func, FuncType, Instance, Memory, Module, Store, ValType

MODULE = Path(__file__).with_name("_stretch.wasm")

# How much is handed over at once: memory, and what a call costs, are small beside the work.
_CALL_FRAMES = 4096
_FLOAT_BYTES = 4
_PAGE_BYTES = 1 << 16
_SEMITONES = 12
# What the module calls its functions, which its build has shortened. Source: the module's glue,
# SignalsmithStretch.mjs of the npm package.
_EXPORTS = {
    "initialise": "f",
    "set_buffers": "h",
    "input_latency": "k",
    "output_latency": "l",
    "preset": "n",
    "seek": "v",
    "process": "w",
    "main": "y",
}


class Stretch:
    """Stretches blocks as they come; how the stream is cut into blocks changes no bit of it.

    Frame *k* of the output is the signal at the time *k* · speed, with no delay, and there are
    ``round(frames / speed)`` of them.
    """

    def __init__(self, rate_hz: int, channels: int, speed: float, semitones: float) -> None:
        """Begin.

        Args:
            rate_hz: Sample rate.
            channels: Number of channels.
            speed: 0.5 is half as fast, and twice as long.
            semitones: How much higher.
        """
        self._speed = speed
        self._taken = 0
        self._given = 0
        ratio = 2.0 ** (semitones / _SEMITONES)
        self._vocoder = _Vocoder(rate_hz, channels, speed / ratio)
        # One mono stream per channel, as everywhere: a channel's samples lie side by side.
        self._pitch = (
            [
                soxr.ResampleStream(ratio, 1.0, 1, dtype="float32", quality="VHQ")
                for _ in range(channels)
            ]
            if semitones
            else []
        )

    def push(self, block: NDArray[np.floating]) -> NDArray[np.float32]:
        """Take a block and give what is ready.

        Args:
            block: Shape ``(channels, frames)``, ±1.0 full scale.

        Returns:
            Shape ``(channels, n)``, where n may be 0.
        """
        self._taken += block.shape[1]
        stretched = self._vocoder.push(block.astype(np.float32, copy=False))
        return self._give(self._shifted(stretched, last=False))

    def finish(self) -> NDArray[np.float32]:
        """Give the rest.

        Returns:
            Shape ``(channels, n)``; the total is then ``round(frames / speed)``.
        """
        rest = self._give(self._shifted(self._vocoder.finish(), last=True))
        # Where rounding took away a last frame.
        missing = round(self._taken / self._speed) - self._given
        return np.pad(rest, ((0, 0), (0, missing)))

    def _shifted(self, block: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        if not self._pitch:
            return block
        return np.stack(
            [
                stream.resample_chunk(np.ascontiguousarray(row), last=last)
                for stream, row in zip(self._pitch, block, strict=True)
            ]
        )

    def _give(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        wanted = round(self._taken / self._speed)
        block = block[:, : max(wanted - self._given, 0)]
        self._given += block.shape[1]
        return block


class _Vocoder:
    """Changes the speed alone."""

    def __init__(self, rate_hz: int, channels: int, speed: float) -> None:
        self._engine = _Engine(channels)
        self._channels = channels
        self._speed = speed
        self._engine.call("preset", channels, float(rate_hz))
        self._ahead = int(self._engine.call("input_latency"))
        self._late = int(self._engine.call("output_latency"))
        self._engine.allocate(max(self._ahead, _CALL_FRAMES, round(_CALL_FRAMES / speed) + 1))
        self._waiting = np.zeros((channels, 0), np.float32)
        self._taken = 0
        self._fed = 0
        self._made = 0
        self._begun = False

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a block and give what is ready."""
        self._taken += block.shape[1]
        return self._feed(block)

    def finish(self) -> NDArray[np.float32]:
        """Give the rest: the signal goes on in silence until all of it has come out."""
        missing = round(self._taken / self._speed) - max(self._made - self._late, 0)
        silence = np.zeros((self._channels, _CALL_FRAMES), np.float32)
        parts = [silence[:, :0]]
        while missing > 0:
            parts.append(self._feed(silence)[:, :missing])
            missing -= parts[-1].shape[1]
        return np.concatenate(parts, axis=1)

    def _feed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        waiting = np.concatenate([self._waiting, block], axis=1)
        if not self._begun and waiting.shape[1] >= self._ahead:
            # What it must know before it can give the first frame.
            self._engine.write(waiting[:, : self._ahead])
            self._engine.call("seek", self._ahead, self._speed)
            waiting = waiting[:, self._ahead :]
            self._begun = True
        parts = [waiting[:, :0]]
        while self._begun and waiting.shape[1] >= _CALL_FRAMES:
            parts.append(self._process(waiting[:, :_CALL_FRAMES]))
            waiting = waiting[:, _CALL_FRAMES:]
        self._waiting = waiting
        return np.concatenate(parts, axis=1)

    def _process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stretch one call's frames; gives what of them comes after the delay."""
        self._fed += block.shape[1]
        frames = round(self._fed / self._speed) - self._made
        self._engine.write(block)
        self._engine.call("process", block.shape[1], frames)
        late = min(max(self._late - self._made, 0), frames)
        self._made += frames
        return self._engine.read(frames)[:, late:]


class _Engine:
    """An instance of the module, and the memory that samples go through."""

    def __init__(self, channels: int) -> None:
        engine, module = _module()
        self._store = Store(engine)
        self._channels = channels
        self._frames = 0
        i32 = ValType.i32()
        provided = {
            "a": Func(self._store, FuncType([i32, i32], [i32]), self._random),
            "b": Func(self._store, FuncType([i32], [i32]), self._grow),
            "c": Func(self._store, FuncType([i32, i32, i32], []), self._copy),
            "d": Func(self._store, FuncType([], []), _abort),
        }
        imports = [provided[each.name or ""] for each in module.imports]
        exports = Instance(self._store, module, imports).exports(self._store)
        memory = exports["e"]
        if not isinstance(memory, Memory):
            raise TypeError(f"{MODULE.name} exports no memory")
        self._memory = memory
        self._functions: dict[str, Any] = {name: exports[each] for name, each in _EXPORTS.items()}
        self._at = 0
        self.call("initialise")
        self.call("main", 0, 0)

    def call(self, name: str, *arguments: float) -> Any:
        """Call one of the module's functions; the interpreter is free meanwhile."""
        return self._functions[name](self._store, *arguments)

    def allocate(self, frames: int) -> None:
        """Make room for calls of so many frames, in and out."""
        self._frames = frames
        self._at = self.call("set_buffers", self._channels, self._frames)

    def write(self, block: NDArray[np.float32]) -> None:
        """Put samples where the module reads them."""
        self._buffers()[0, :, : block.shape[1]] = block

    def read(self, frames: int) -> NDArray[np.float32]:
        """Take samples from where the module wrote them."""
        return self._buffers()[1, :, :frames].copy()

    def _buffers(self) -> NDArray[np.float32]:
        """The input's buffers and the output's, shape ``(2, channels, frames)``."""
        size = 2 * self._channels * self._frames
        memory = self._memory.get_buffer_ptr(self._store, size * _FLOAT_BYTES, self._at)
        return np.frombuffer(memoryview(memory), np.float32).reshape(
            2, self._channels, self._frames
        )

    def _grow(self, wanted: int) -> int:
        """Give the module more memory."""
        missing = (wanted & 0xFFFF_FFFF) - self._memory.data_len(self._store)
        self._memory.grow(self._store, -(-max(missing, 0) // _PAGE_BYTES))
        return 1

    def _copy(self, target: int, source: int, size: int) -> None:
        data = self._memory.read(self._store, source, source + size)
        self._memory.write(self._store, data, target)

    def _random(self, target: int, size: int) -> int:
        """Give it numbers that are the same in every run: so are the samples."""
        self._memory.write(self._store, bytes(size), target)
        return 0


def _abort() -> None:
    raise MemoryError("the stretch engine gave up")


@cache
def _module() -> tuple[Engine, Module]:
    """The module, compiled once in this process."""
    engine = Engine()
    return engine, Module.from_file(engine, str(MODULE))
