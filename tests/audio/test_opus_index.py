"""The page index of Opus files: every window that it names decodes to the right frames."""

import json
from io import BytesIO
from itertools import accumulate, pairwise, repeat
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stem_files import a_recording, noise, read, write_stem

from stemset.audio._ogg_index import OggIndex
from stemset.audio.encode import plan_encoding
from stemset.audio.formats import OutputFormat

PREROLL = 28_800  # 0.6 s in samples


def windows(index: Any) -> list[tuple[int, int, int, int]]:
    """Each page's place in bytes and in samples, as a player works them out."""
    offsets = [*accumulate(index["page_bytes"], initial=index["header_bytes"])]
    lengths = [
        length for length, pages in index["page_samples"] for length in repeat(length, pages)
    ]
    samples = [*accumulate(lengths, initial=0)]
    return list(zip(offsets, offsets[1:], samples, samples[1:], strict=False))


def opus(tmp_path, frames, layout="stereo", kbps=None, rate_hz=48_000):
    encoding = plan_encoding(OutputFormat.OPUS, kbps, a_recording(rate_hz, layout))
    path, index = write_stem(tmp_path / "vocals", encoding, noise(encoding, frames))
    return path, json.loads(index.read_text())


@pytest.mark.parametrize(
    ("layout", "kbps"), [("stereo", None), ("stereo", 512), ("mono", 24), ("7.1", 2_048)]
)
def test_opus_index_windows_decode_alone_to_their_frames(tmp_path, layout, kbps):
    path, index = opus(tmp_path, 150_007, layout, kbps)
    whole, data = read(path).samples, path.read_bytes()
    header = data[: index["header_bytes"]]

    pages = windows(index)
    assert pages[-1][1] == len(data)
    for _, end, first, last in pages:
        start, from_sample = max(
            (page[0], page[2]) for page in pages if page[2] <= max(first - PREROLL, 0)
        )
        # A decoder drops the pre-skip at the start of any stream.
        window = read(BytesIO(header + data[start:end])).samples
        assert window.shape[1] == last - from_sample - index["pre_skip"]
        frames = slice(max(first - index["pre_skip"], 0), last - index["pre_skip"])
        expected = whole[:, frames]
        assert np.allclose(window[:, window.shape[1] - expected.shape[1] :], expected, atol=1e-6)


@pytest.mark.parametrize(("layout", "kbps"), [("stereo", 512), ("7.1", None), ("7.1", 2_048)])
def test_opus_pages_of_dense_streams_start_with_a_packet(tmp_path, layout, kbps):
    path, _ = opus(tmp_path, 150_007, layout, kbps)

    assert pages_with_flag(path.read_bytes(), 1) == set()


@pytest.mark.parametrize("frames", [1, 959, 48_000, 300_007])
def test_opus_index_counts_the_frames_of_the_file(tmp_path, frames):
    path, index = opus(tmp_path, frames)

    assert index["frames"] == frames == read(path).samples.shape[1]
    assert windows(index)[-1][3] == frames + index["pre_skip"]


def test_opus_index_of_the_default_has_pages_of_a_second(tmp_path):
    _, index = opus(tmp_path, 48_000 * 5)

    assert index["page_samples"][0] == [48_000, 5]
    assert (index["rate_hz"], index["channels"]) == (48_000, 2)


def test_opus_index_is_small(tmp_path):
    encoding = plan_encoding(OutputFormat.OPUS, None, a_recording())
    samples = noise(encoding, 48_000 * 20) * 0.1

    index = write_stem(tmp_path / "vocals", encoding, samples)[1]

    assert index.stat().st_size < 20 * 8 + 200


def long_tags_and_split_packets():
    """An Ogg Opus file whose comment fills several pages and whose packets run over their ends."""
    file = BytesIO()
    encoding = plan_encoding(OutputFormat.OPUS, None, a_recording(layout="7.1"))
    with av.open(file, "w", format="ogg", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=48_000, layout="7.1", bit_rate=2_000_000)
        stream.codec_context.options = {"mapping_family": "1"}
        stream.codec_context.format = "flt"
        container.metadata["lyrics"] = "la" * 100_000
        samples = np.ascontiguousarray(noise(encoding, 200_000).T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="7.1")
        frame.sample_rate = 48_000
        container.mux(stream.codec_context.encode(frame))
        container.mux(stream.codec_context.encode(None))
    return file.getvalue()


def index_of(data, cuts=()):
    index = OggIndex()
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        index.feed(data[start:end])
    return index.as_json()


@pytest.fixture(scope="module")
def split_packets():
    return long_tags_and_split_packets()


def test_opus_index_page_that_starts_inside_a_packet_is_part_of_the_one_before(split_packets):
    index = index_of(split_packets)

    pages = windows(index)
    continued = pages_with_flag(split_packets, 1)
    assert continued
    assert not {start for start, *_ in pages} & continued
    assert pages[-1][1] == len(split_packets)


def test_opus_index_comment_over_several_pages_is_all_header(split_packets):
    index = index_of(split_packets)

    start, end, *_ = windows(index)[0]
    header = split_packets[:start]
    assert start > 200_000
    assert read(BytesIO(header + split_packets[start:end])).samples.shape[0] == 8


def pages_with_flag(data, flag):
    """Where the pages with this bit in their header type are."""
    places, position = set(), 0
    while position < len(data):
        segments = data[position + 26]
        if data[position + 5] & flag:
            places.add(position)
        position += 27 + segments + sum(data[position + 27 : position + 27 + segments])
    return places


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_opus_index_is_the_same_however_the_bytes_come(split_packets, data):
    places = st.integers(0, len(split_packets))
    cuts = data.draw(st.lists(places, max_size=20))

    assert index_of(split_packets, cuts) == index_of(split_packets)
