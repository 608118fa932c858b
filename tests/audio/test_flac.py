"""FLAC files: header, seek table and windows, checked with a reader of our own and `flac -t`."""

import hashlib
import shutil
import struct
import subprocess
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from stem_files import a_recording, noise, read, write_stem

from stemset.audio._flac import SeekTable
from stemset.audio.encode import plan_encoding
from stemset.audio.formats import Depth, OutputFormat

PLACEHOLDER = 0xFFFF_FFFF_FFFF_FFFF


@dataclass
class Header:
    streaminfo: bytes
    points: list[tuple[int, int, int]]
    comments: list[str]
    audio: bytes

    @property
    def total_frames(self) -> int:
        return int.from_bytes(self.streaminfo[13:18]) & 0xF_FFFF_FFFF

    @property
    def frame_bytes(self) -> tuple[int, int]:
        return int.from_bytes(self.streaminfo[4:7]), int.from_bytes(self.streaminfo[7:10])

    @property
    def md5(self) -> bytes:
        return self.streaminfo[18:]

    @property
    def real_points(self) -> list[tuple[int, int, int]]:
        return [point for point in self.points if point[0] != PLACEHOLDER]


def parse(path: Path) -> Header:
    data = path.read_bytes()
    assert data[:4] == b"fLaC"
    blocks, position, last = {}, 4, False
    while not last:
        last, kind = bool(data[position] & 0x80), data[position] & 0x7F
        size = int.from_bytes(data[position + 1 : position + 4])
        blocks[kind] = data[position + 4 : position + 4 + size]
        position += 4 + size
    return Header(
        blocks[0], [*struct.iter_unpack(">QQH", blocks[3])], comments(blocks[4]), data[position:]
    )


def comments(block):
    texts, position = [], 4 + int.from_bytes(block[:4], "little")
    (count,) = struct.unpack_from("<I", block, position)
    position += 4
    for _ in range(count):
        (size,) = struct.unpack_from("<I", block, position)
        texts.append(block[position + 4 : position + 4 + size].decode())
        position += 4 + size
    assert position == len(block)
    return texts


def little_endian(samples, depth):
    interleaved = np.ascontiguousarray(samples.T.astype("<i4"))
    return interleaved.view(np.uint8).reshape(-1, 4)[:, : depth.bits // 8].tobytes()


@pytest.fixture
def encoding():
    return plan_encoding(OutputFormat.FLAC, None, a_recording(8_000, depth=Depth.S16))


def flac(tmp_path, encoding, samples, **options):
    return write_stem(tmp_path / "vocals", encoding, samples, **options)[0]


@pytest.mark.parametrize("depth", [Depth.S16, Depth.S24])
@pytest.mark.parametrize("frames", [1, 15, 4_607, 4_608, 4_609, 100_003])
def test_flac_any_length_reads_back_the_same_samples(tmp_path, depth, frames):
    encoding = plan_encoding(OutputFormat.FLAC, None, a_recording(depth=depth))
    samples = noise(encoding, frames)

    path = flac(tmp_path, encoding, samples)

    assert np.array_equal(read(path).samples, samples)
    if shutil.which("flac"):
        subprocess.run(["flac", "--test", "--silent", "--warnings-as-errors", path], check=True)


@pytest.mark.parametrize("depth", [Depth.S16, Depth.S24])
@pytest.mark.parametrize("rate_hz", [8_000, 37_800, 48_000, 192_000])
def test_flac_streaminfo_tells_depth_rate_length_and_md5(tmp_path, depth, rate_hz):
    encoding = plan_encoding(OutputFormat.FLAC, None, a_recording(rate_hz, "5.1", depth))
    samples = noise(encoding, 50_001)

    header = parse(flac(tmp_path, encoding, samples))

    packed = int.from_bytes(header.streaminfo[10:13])
    assert packed >> 4 == rate_hz
    assert (packed >> 1 & 7) + 1 == 6
    assert (header.streaminfo[12] & 1) << 4 | header.streaminfo[13] >> 4 == depth.bits - 1
    assert header.total_frames == 50_001
    digest = hashlib.md5(little_endian(samples, depth), usedforsecurity=False)
    assert header.md5 == digest.digest()


def test_flac_streaminfo_tells_the_smallest_and_largest_frame(tmp_path, encoding):
    path = flac(tmp_path, encoding, noise(encoding, 100_003))

    header = parse(path)

    sizes = frame_sizes(path)
    assert header.frame_bytes == (min(sizes), max(sizes))
    assert sum(sizes) == len(header.audio)


def frame_sizes(path: Path) -> list[int]:
    with av.open(path, "r") as opened:
        return [packet.size for packet in opened.demux(audio=0) if packet.size]


def test_flac_seek_table_has_a_point_every_five_seconds(tmp_path, encoding):
    header = parse(flac(tmp_path, encoding, noise(encoding, 8_000 * 32)))

    block_frames = header.real_points[0][2]
    aimed = [5 * 8_000 * number for number in range(7)]
    assert [point[0] for point in header.real_points] == [
        -(-frame // block_frames) * block_frames for frame in aimed
    ]


def test_flac_seek_points_cut_the_file_into_windows_that_decode_alone(tmp_path, encoding):
    samples = noise(encoding, 8_000 * 32)
    header = parse(flac(tmp_path, encoding, samples))

    points = [*header.real_points, (samples.shape[1], len(header.audio), 0)]
    for (start, offset, _), (end, end_offset, _) in pairwise(points):
        window = bytearray(header.streaminfo)
        window[13:18] = (window[13] >> 4 << 36 | end - start).to_bytes(5)
        window[18:34] = bytes(16)
        body = header.audio[offset:end_offset]
        alone = BytesIO(b"fLaC\x80\0\0\x22" + bytes(window) + body)
        assert np.array_equal(read(alone).samples, samples[:, start:end])


def test_flac_shorter_than_expected_ends_in_placeholders(tmp_path, encoding):
    header = parse(flac(tmp_path, encoding, noise(encoding, 8_000 * 12), expected=8_000 * 32))

    assert seconds(header.points[:3]) == [0, 5, 10]
    assert [point[0] for point in header.points[3:]] == [PLACEHOLDER] * 6


def test_flac_a_little_longer_than_expected_keeps_its_distances(tmp_path, encoding):
    header = parse(flac(tmp_path, encoding, noise(encoding, 8_000 * 21), expected=8_000 * 20))

    assert seconds(header.real_points) == [0, 5, 10, 15, 20]


def test_flac_much_longer_than_expected_has_wider_distances(tmp_path, encoding):
    samples = noise(encoding, 8_000 * 43)

    path = flac(tmp_path, encoding, samples, expected=8_000 * 20)

    assert seconds(parse(path).real_points) == [0, 10, 20, 30, 40]
    assert np.array_equal(read(path).samples, samples)


@pytest.mark.parametrize("expected", [None, 0, 1, 10**15])
def test_flac_of_unknown_or_absurd_length_is_whole(tmp_path, encoding, expected):
    samples = noise(encoding, 8_000 * 12)

    path = flac(tmp_path, encoding, samples, expected=expected)

    assert seconds(parse(path).real_points)[-1] == 10
    assert path.stat().st_size < 800_000
    assert np.array_equal(read(path).samples, samples)


def seconds(points):
    return [point[0] // 8_000 for point in points]


@pytest.mark.parametrize("places", [2, 3, 4, 7])
@pytest.mark.parametrize("frames", [1, 5, 20, 333])
def test_seek_table_any_length_has_even_distances(places, frames):
    table = SeekTable(places, interval_frames=10)
    for number in range(frames):
        table.add(number * 4, number * 1_000, 4)

    body = table.as_bytes()
    points = [point[0] for point in struct.iter_unpack(">QQH", body) if point[0] != PLACEHOLDER]
    assert len(body) == 18 * places
    interval = 10
    while -(-(4 * frames) // interval) > places:
        interval *= 2
    aimed = range(0, 4 * (frames - 1) + 1, interval)
    assert points == [-(-aim // 4) * 4 for aim in aimed][:places]
    assert all(second > first for first, second in pairwise(points))


@pytest.mark.parametrize(
    ("layout", "mask"), [("stereo", None), ("2.1", "0x000B"), ("5.1(side)", "0x060F")]
)
def test_flac_speakers_beyond_stereo_are_named_in_a_comment(tmp_path, layout, mask):
    encoding = plan_encoding(OutputFormat.FLAC, None, a_recording(layout=layout))

    header = parse(flac(tmp_path, encoding, noise(encoding, 100), tags={"track": "7"}))

    masks = [] if mask is None else [f"WAVEFORMATEXTENSIBLE_CHANNEL_MASK={mask}"]
    assert header.comments == ["TRACKNUMBER=7", *masks]
