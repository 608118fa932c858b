"""Checkpoints as they are, damaged ones, and pickles that try to do harm."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stemset.catalogue._checkpoint import read_arrays
from stemset.errors import ModelCorrupt

SHAPES = {"conv.weight": (4, 3, 5, 5), "conv.bias": (4,)}
ARRAYS = {
    "conv.weight": np.linspace(-2, 2, 300, dtype=np.float32).reshape(4, 3, 5, 5),
    "conv.bias": np.array([1, -0.0, 1e-30, 3e38], dtype=np.float32),
}
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


def pickled(value: object) -> bytes:
    """A pickle as NumPy 1 wrote it."""
    return pickle.dumps(value, protocol=2).replace(b"numpy._core", b"numpy.core")


def zipped(program: bytes, name: str = "weights/data.pkl") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, program)
        archive.writestr("weights/version", "3\n")
    return file.getvalue()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def test_read_arrays_gives_the_stored_numbers() -> None:
    found = read_arrays(zipped(pickled(ARRAYS)), SHAPES)
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in ARRAYS.items()
    }
    assert {name: array.shape for name, array in found.items()} == SHAPES
    assert all(array.dtype == np.float32 for array in found.values())


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_pickle_that_runs_a_command_is_refused_and_runs_nothing(
    tmp_path: Path, protocol: int
) -> None:
    marker = tmp_path / "ran"
    program = pickle.dumps(Calls(os.system, f"touch {marker}"), protocol=protocol)
    with pytest.raises(ModelCorrupt):
        read_arrays(zipped(program), SHAPES)
    assert not marker.exists()


def test_pickle_that_runs_a_command_deep_inside_is_refused_and_runs_nothing(
    tmp_path: Path,
) -> None:
    marker = tmp_path / "ran"
    hidden = {**ARRAYS, "conv.bias": ((Calls(os.system, f"touch {marker}"),),)}
    with pytest.raises(ModelCorrupt, match=r"names (posix|os)\.system"):
        read_arrays(zipped(pickled(hidden)), SHAPES)
    assert not marker.exists()


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(pickled(Calls(eval, "1")), id="eval"),
        pytest.param(pickled(Calls(getattr, "x", "upper")), id="getattr"),
        pytest.param(b"\x80\x02cnumpy\nload\n.", id="another function of numpy"),
        pytest.param(b"\x80\x02cnumpy.core.multiarray\nfromfile\n.", id="beside an allowed name"),
        pytest.param(b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93.", id="name from the stack"),
        pytest.param(b"\x80\x02(inumpy\nndarray\n.", id="INST"),
        pytest.param(b"\x80\x02\x82\x01.", id="extension registry"),
        pytest.param(b"\x80\x02Pid\n.", id="persistent id"),
        pytest.param(b"\x80\x02cnumpy\nndarray\n)\x81.", id="NEWOBJ"),
        pytest.param(b"\x80\x02cnumpy\nndarray\nK\x01\x85R.", id="array class called"),
        pytest.param(b"\x80\x02" + RECONSTRUCT + b"}" + text("_call") + b"Nsb.", id="SETITEM"),
        pytest.param(
            b"\x80\x02" + RECONSTRUCT + b"}(" + text("_call") + b"Nub.", id="allowed name changed"
        ),
        pytest.param(
            b"\x80\x02" + RECONSTRUCT + b"N}(" + text("_call") + b"Nu\x86b.",
            id="slot of an allowed name changed",
        ),
        pytest.param(
            b"\x80\x02c_codecs\nencode\n" + text("x") + text("zlib_codec") + b"\x86R.",
            id="another codec",
        ),
        pytest.param(b"\x80\x02cnumpy\ndtype\n" + text("O8") + b"\x85R.", id="objects"),
        pytest.param(b"\x80\x02K\x01K\x02\x85R.", id="number called"),
        pytest.param(b"\x80\x02N.", id="no dictionary"),
        pytest.param(b"\x80\x02}r\xff\xff\xff\x7f.", id="memo of 2^31 slots"),
        pytest.param(b"\x80\x02h\x07.", id="memo slot that was not filled"),
        pytest.param(
            b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.", id="a terabyte of bytes"
        ),
        pytest.param(b"\x80\x02X" + struct.pack("<I", 1 << 31) + b"x.", id="2 GiB of text"),
        pytest.param(b"\x80\x02" + b"N" * 10_000 + b".", id="very long"),
        pytest.param(b"\x80\x02" + b"(" * 150 + b".", id="only marks"),
        pytest.param(b"\x80\x02}", id="no end"),
        pytest.param(b"\x80\x02X\x01\x00\x00\x00\xff.", id="text that is no UTF-8"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x63}.", id="protocol 99"),
        pytest.param(pickled(ARRAYS)[:-400], id="truncated"),
    ],
)
def test_pickle_that_is_not_just_arrays_is_refused(program: bytes) -> None:
    with pytest.raises(ModelCorrupt):
        read_arrays(zipped(program), SHAPES)
    read_arrays(zipped(pickled(ARRAYS)), SHAPES)  # and a later one is read as before


@pytest.mark.parametrize(
    "arrays",
    [
        pytest.param({"conv.weight": ARRAYS["conv.weight"]}, id="missing"),
        pytest.param({**ARRAYS, "more": ARRAYS["conv.bias"]}, id="one more"),
        pytest.param({**ARRAYS, "conv.bias": ARRAYS["conv.bias"][:3]}, id="shorter"),
        pytest.param({**ARRAYS, "conv.bias": ARRAYS["conv.bias"][None]}, id="other rank"),
        pytest.param({**ARRAYS, "conv.bias": ARRAYS["conv.bias"].astype("f8")}, id="float64"),
        pytest.param({**ARRAYS, "conv.bias": ARRAYS["conv.bias"].astype(">f4")}, id="big endian"),
        pytest.param({**ARRAYS, "conv.bias": np.array([None] * 4)}, id="objects"),
        pytest.param(
            {**ARRAYS, "conv.weight": np.asfortranarray(ARRAYS["conv.weight"])}, id="Fortran order"
        ),
        pytest.param({**ARRAYS, "conv.bias": np.array([1, 2, 3, np.nan], "f4")}, id="NaN"),
        pytest.param({**ARRAYS, "conv.bias": np.array([1, 2, 3, np.inf], "f4")}, id="infinite"),
        pytest.param({**ARRAYS, "conv.bias": (1, 2, 3, 4)}, id="no array"),
    ],
)
def test_arrays_that_are_not_the_networks_are_refused(arrays: dict[str, object]) -> None:
    with pytest.raises(ModelCorrupt):
        read_arrays(zipped(pickled(arrays)), SHAPES)


def test_array_with_fewer_bytes_than_its_shape_needs_is_refused() -> None:
    program = pickled({**ARRAYS, "conv.bias": np.array([9, 9, 9], "f4")})
    lying = program.replace(b"K\x01K\x03\x85", b"K\x01K\x04\x85")
    assert lying != program
    with pytest.raises(ModelCorrupt, match=r"conv\.bias is no float32 array of shape \(4,\)"):
        read_arrays(zipped(lying), SHAPES)


def test_array_with_bytes_in_another_encoding_is_refused() -> None:
    program = pickled(ARRAYS)
    with pytest.raises(ModelCorrupt, match="latin-1"):
        read_arrays(zipped(program.replace(b"latin1", b"cp1252")), SHAPES)


def test_instruction_that_reserves_memory_is_refused_before_it_runs() -> None:
    program = b"\x80\x04\x8e" + struct.pack("<Q", 4) + b"data."
    with pytest.raises(ModelCorrupt, match="has a BINBYTES8 instruction"):
        read_arrays(zipped(program), SHAPES)


def test_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped(b"\x80\x02" + bytes(50_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(ModelCorrupt, match="would unpack to 50,000,002 bytes"):
        read_arrays(bomb, SHAPES)


@pytest.mark.parametrize("kept", [0, 10, 300, -1])
def test_truncated_zip_is_refused(kept: int) -> None:
    with pytest.raises(ModelCorrupt):
        read_arrays(zipped(pickled(ARRAYS))[:kept], SHAPES)


def test_zip_with_a_changed_byte_is_refused() -> None:
    content = bytearray(zipped(pickled(ARRAYS)))
    content[200] ^= 1
    with pytest.raises(ModelCorrupt):
        read_arrays(bytes(content), SHAPES)


def test_zip_without_a_pickle_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="holds 0 pickles"):
        read_arrays(zipped(pickled(ARRAYS), "weights/other.bin"), SHAPES)
