from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemset.errors import InputUnreadable
from stemset.storage._parts import MAX_PARTS, MIN_PART_BYTES, blocks, file_length, part_bytes

MIB = 1 << 20
MAX_PART_BYTES = 5 << 30


@given(length=st.integers(0, 5 << 40), at_least=st.integers(1, 64 * MIB))
def test_part_bytes_keeps_within_the_limits_of_s3(length: int, at_least: int) -> None:
    size = part_bytes(length, at_least)

    assert max(at_least, MIN_PART_BYTES) <= size <= MAX_PART_BYTES
    assert -(-length // size) <= MAX_PARTS


@pytest.mark.parametrize(
    ("length", "size"), [(0, 8), (80_000, 8), (80_001, 9), (500_000, 50)], ids=str
)
def test_part_bytes_grows_with_the_file(length: int, size: int) -> None:
    assert part_bytes(length * MIB, 8 * MIB) == size * MIB


def test_blocks_are_of_equal_size_but_the_last(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(100)))

    assert [len(block) for block in blocks(path, 30)] == [30, 30, 30, 10]
    assert list(blocks(path, 4, start=10, length=6)) == [bytes(range(10, 14)), b"\x0e\x0f"]
    assert list(blocks(path, 30, start=100)) == []


def test_blocks_of_a_file_that_ends_early_are_no_success(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10))

    with pytest.raises(InputUnreadable, match="became shorter"):
        list(blocks(path, 4, length=11))


@pytest.mark.parametrize("read", [file_length, lambda path: list(blocks(path, 4, length=1))])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(InputUnreadable, match="nowhere"):
        read(tmp_path / "nowhere")
