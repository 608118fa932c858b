"""Read a checkpoint's arrays without the framework that wrote it, and without trusting it.

A checkpoint is a zip that holds a pickle, and a pickle is a program: it names callables and calls
them. Spleeter's name four, enough to say "an array of this shape with these bytes". The reader
goes over the program twice. First ``_scan`` steps through it without running it, and refuses any
instruction but the twenty that such a file needs. Then it runs with stand-ins for the four
callables, which keep what they are told; NumPy sees only a shape and bytes that were checked.
"""

import io
import lzma
import pickle
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from math import prod
from typing import Never

import numpy as np
import numpy.typing as npt

from stemset.errors import ModelCorrupt

_ITEM_BYTES = 4
_PICKLE_GROWTH = 2  # latin-1 bytes as UTF-8 text: one byte in two, so 1.5 times on average
_PICKLE_SLACK_BYTES = 1 << 16
_MAX_INSTRUCTIONS = 64  # per array; Spleeter's need 30
# What zipfile raises about what is no zip, or one that it does not read; ValueError, too, for names
# that are not the UTF-8 that they say they are, and for places before the file's start; OSError for
# damage that bz2 finds.
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, OverflowError, struct.error, OSError, lzma.LZMAError),
)
# What an unpickler raises about instructions that do not fit what is on its stack.
_PICKLE_ERRORS = (
    *(pickle.UnpicklingError, TypeError, ValueError, LookupError, EOFError),
    *(AttributeError, OverflowError),
)
_INSTRUCTIONS = frozenset(
    {
        *("PROTO", "GLOBAL", "REDUCE", "BUILD", "STOP"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINUNICODE"),
        *("MARK", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "SETITEMS"),
    }
)


def read_arrays(
    checkpoint: bytes, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, npt.NDArray[np.float32]]:
    """Read the arrays of a checkpoint.

    Args:
        checkpoint: A zip with one ``<name>/data.pkl``.
        shapes: The arrays that the network has, by name. All of them must be there with these
            shapes, and no others.

    Returns:
        The arrays by name, ``float32``, read-only views of the checkpoint's numbers.

    Raises:
        ModelCorrupt: The checkpoint is damaged, says anything but arrays, or its arrays are not
            those of the network.
    """
    numbers_bytes = _ITEM_BYTES * sum(prod(shape) for shape in shapes.values())
    program = _read_program(checkpoint, _PICKLE_SLACK_BYTES + _PICKLE_GROWTH * numbers_bytes)
    _scan(program, limit=_MAX_INSTRUCTIONS * (len(shapes) + 1))
    stored = _run(program)
    if not isinstance(stored, dict) or stored.keys() != shapes.keys():
        raise ModelCorrupt("The checkpoint does not hold the network's arrays.")
    return {name: _to_array(name, stored[name], shape) for name, shape in shapes.items()}


def _read_program(checkpoint: bytes, size_limit: int) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
            programs = [m for m in archive.infolist() if m.filename.endswith("/data.pkl")]
            if len(programs) != 1:
                raise ModelCorrupt(f"The checkpoint holds {len(programs)} pickles instead of one.")
            if programs[0].file_size > size_limit:
                raise ModelCorrupt(
                    f"The checkpoint's pickle would unpack to {programs[0].file_size:,} bytes, "
                    f"more than the {size_limit:,} that the network can need."
                )
            return archive.read(programs[0])
    except _ZIP_ERRORS as error:
        raise ModelCorrupt(f"The checkpoint is a damaged zip file: {error}.") from error


def _scan(program: bytes, *, limit: int) -> None:
    """Refuse a pickle with foreign instructions, before any of them runs.

    The limit is on the number of instructions and on memo slots: the memo is a list as long as
    the largest slot that is named, so one instruction could ask for gigabytes.
    """
    try:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(program)):
            if instruction.name not in _INSTRUCTIONS:
                raise ModelCorrupt(f"The checkpoint's pickle has a {instruction.name} instruction.")
            slot = argument if instruction.name == "LONG_BINPUT" else 0
            if count > limit or not isinstance(slot, int) or slot > limit:
                raise ModelCorrupt("The checkpoint's pickle is longer than arrays need.")
    except ValueError as error:  # what pickletools raises about malformed input
        raise ModelCorrupt(f"The checkpoint's pickle is damaged: {error}.") from error


def _run(program: bytes) -> object:
    try:
        return _Reader(io.BytesIO(program)).load()
    except _PICKLE_ERRORS as error:
        raise ModelCorrupt(f"The checkpoint's pickle is damaged: {error}.") from error


class _Reader(pickle.Unpickler):
    """An unpickler whose only callables are stand-ins."""

    def find_class(self, module_name: str, global_name: str, /) -> "_StandIn":
        stand_in = _STAND_INS.get((module_name, global_name))
        if stand_in is None:
            raise ModelCorrupt(f"The checkpoint's pickle names {module_name}.{global_name}.")
        return stand_in


class _StandIn:
    """A callable that a pickle can call, and can neither look into nor change."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self._call = call

    def __call__(self, *arguments: object) -> object:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> Never:
        raise pickle.UnpicklingError("a callable cannot be given a state")


class _Told:
    """Something that the pickle describes: keeps the last state that it was given."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _ToldArray(_Told):
    """An array: its state is (version, shape, type, Fortran order, bytes)."""

    __slots__ = ()


class _ToldFloat32(_Told):
    """The type of an array: its state begins with (version, byte order)."""

    __slots__ = ()


def _array(_kind: object, _shape: object, _code: object) -> _ToldArray:
    return _ToldArray()


def _element_type(code: object, *_flags: object) -> _ToldFloat32:
    if code != "f4":
        raise pickle.UnpicklingError("arrays of another type than float32")
    return _ToldFloat32()


def _text_to_bytes(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes that are not written as latin-1 text")
    return text.encode("latin-1")


def _refuse(*_arguments: object) -> Never:
    raise pickle.UnpicklingError("the array class is named, not called")


_STAND_INS: Mapping[tuple[str, str], _StandIn] = {
    ("numpy.core.multiarray", "_reconstruct"): _StandIn(_array),
    ("numpy", "ndarray"): _StandIn(_refuse),
    ("numpy", "dtype"): _StandIn(_element_type),
    ("_codecs", "encode"): _StandIn(_text_to_bytes),
}


def _to_array(name: str, told: object, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    match told.state if isinstance(told, _ToldArray) else None:
        case (
            1,
            tuple() as stored,
            _ToldFloat32(state=(3, "<", *_)),
            False,
            bytes() as numbers,
        ) if stored == shape and len(numbers) == _ITEM_BYTES * prod(shape):
            array = np.frombuffer(numbers, dtype="<f4").reshape(shape)
        case _:
            raise ModelCorrupt(f"The checkpoint's {name} is no float32 array of shape {shape}.")
    if not np.isfinite(array).all():
        raise ModelCorrupt(f"The checkpoint's {name} holds values that are not finite.")
    return array
