"""AAC in MP4: the boxes are FFmpeg's own, wherever the index stands."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from stem_files import a_recording, noise, read, tones, write_stem

from stemset.audio._mp4_boxes import mdat_header
from stemset.audio.encode import Encoding, plan_encoding
from stemset.audio.formats import OutputFormat

CONTAINERS = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"dinf", b"stbl", b"udta", b"ilst"}
TAGS = {"title": "Träume", "track": "3/9", "disc": "1", "genre": "Rock", "comment": "take"}


def boxes(data, position=0, end=None, prefix=""):
    """All boxes by their path, with their bodies."""
    found = []
    end = len(data) if end is None else end
    while position < end:
        size, kind = struct.unpack_from(">I4s", data, position)
        path = f"{prefix}/{kind.decode('latin-1')}"
        body = position + 8
        if kind in CONTAINERS:
            found += boxes(data, body, position + size, path)
        elif kind == b"meta":
            found += boxes(data, body + 4, position + size, path)
        else:
            found.append((path, data[body : position + size]))
        position += size
    return found


def m4a(tmp_path, encoding, samples, **options):
    return write_stem(tmp_path / "vocals", encoding, samples, **options)[0]


def by_ffmpeg(path: Path, encoding: Encoding, samples, tags):
    options = {"fflags": "+bitexact", "movie_timescale": str(encoding.rate_hz)}
    with av.open(path, "w", format="ipod", container_options=options) as container:
        stream = container.add_stream("aac", rate=encoding.rate_hz, layout=encoding.layout)
        stream.codec_context.bit_rate = (encoding.bitrate_kbps or 0) * 1000
        container.metadata.update(tags)
        packed = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=encoding.layout)
        frame.sample_rate = encoding.rate_hz
        frame.pts, frame.time_base = 0, Fraction(1, encoding.rate_hz)
        container.mux(stream.codec_context.encode(frame))
        container.mux(stream.codec_context.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("rate_hz", "layout"),
    [(44_100, "stereo"), (96_000, "stereo"), (88_200, "mono"), (8_000, "mono"), (48_000, "5.1")],
)
@pytest.mark.parametrize("frames", [40_000, 39 * 1024])
def test_m4a_boxes_are_those_of_ffmpeg(tmp_path, rate_hz, layout, frames):
    encoding = plan_encoding(OutputFormat.AAC, None, a_recording(rate_hz, layout))
    samples = tones(encoding, frames)

    ours = boxes(m4a(tmp_path, encoding, samples, tags=TAGS).read_bytes())
    theirs = boxes(by_ffmpeg(tmp_path / "theirs.m4a", encoding, samples, TAGS))

    moved = ("/free", "/moov/trak/mdia/minf/stbl/stco")

    def comparable(found):
        return sorted(box for box in found if box[0] not in moved)

    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("expected", [-1, None, 0, 100_003 * 2, 60_000, 10**15])
def test_m4a_of_any_expected_length_is_the_same_music(tmp_path, expected):
    encoding = plan_encoding(OutputFormat.AAC, None, a_recording(44_100))
    samples = noise(encoding, 100_003)

    path = m4a(tmp_path, encoding, samples, expected=expected)

    decoded = read(path).samples
    right = read(m4a(tmp_path, encoding, samples)).samples
    assert np.array_equal(decoded, right)
    assert 100_003 <= decoded.shape[1] < 100_003 + 1024


@pytest.mark.parametrize(
    ("expected", "in_front"), [(-1, True), (200_000, True), (None, False), (0, False)]
)
def test_m4a_index_stands_in_front_if_there_is_room(tmp_path, expected, in_front):
    encoding = plan_encoding(OutputFormat.AAC, None, a_recording(44_100))

    path = m4a(tmp_path, encoding, noise(encoding, 100_003), expected=expected)

    paths = [path for path, _ in boxes(path.read_bytes())]
    assert (paths.index("/moov/mvhd") < paths.index("/mdat")) is in_front


def test_m4a_edit_list_tells_the_exact_length(tmp_path):
    encoding = plan_encoding(OutputFormat.AAC, None, a_recording(44_100))

    path = m4a(tmp_path, encoding, noise(encoding, 100_003))

    found = dict(boxes(path.read_bytes()))
    duration, media_time = struct.unpack_from(">Ii", found["/moov/trak/edts/elst"], 8)
    assert (duration, media_time) == (100_003, 1024)
    assert struct.unpack_from(">II", found["/moov/mvhd"], 12) == (44_100, 100_003)


def test_m4a_chunks_lie_where_the_index_says(tmp_path):
    encoding = plan_encoding(OutputFormat.AAC, None, a_recording(44_100))

    data = m4a(tmp_path, encoding, noise(encoding, 200_000)).read_bytes()

    stbl = "/moov/trak/mdia/minf/stbl"
    found = dict(boxes(data))
    sizes = np.frombuffer(found[f"{stbl}/stsz"], ">u4", offset=12)
    chunks = np.frombuffer(found[f"{stbl}/stco"], ">u4", offset=8)
    start = data.index(b"mdat") + 4
    assert [*chunks] == [start + int(sizes[:first].sum()) for first in range(0, len(sizes), 48)]


def test_m4a_tag_without_an_atom_of_its_own_is_kept(tmp_path):
    encoding = plan_encoding(OutputFormat.AAC, None, a_recording())

    path = m4a(tmp_path, encoding, noise(encoding, 100), tags={"mood": "calm", "track": "A1"})

    tags = read(path).tags
    assert (tags["mood"], tags["track"]) == ("calm", "A1")


def test_mdat_of_more_than_4_gib_has_a_header_of_the_same_length():
    assert mdat_header(100) == b"\0\0\0\x08free" + struct.pack(">I4s", 108, b"mdat")
    assert mdat_header(1 << 32) == struct.pack(">I4sQ", 1, b"mdat", (1 << 32) + 16)
