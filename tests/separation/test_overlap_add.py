from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from halves import Halves
from hypothesis import given, settings
from hypothesis import strategies as st

from stemset.separation.network import Fade, LastChunk, Samples
from stemset.separation.overlap_add import OverlapAdd, fade_in
from stemset.separation.statistics import Normalisation


def stream(
    network: Any, mix: Samples, cuts: list[int], normalisation: Normalisation | None = None
) -> tuple[Samples, Samples]:
    overlap_add = OverlapAdd(network, len(mix), normalisation)
    given_back: list[tuple[Samples, Samples]] = []
    for start, end in zip([0, *cuts], [*cuts, mix.shape[-1]], strict=True):
        given_back += overlap_add.push(mix[..., start:end])
    given_back += overlap_add.finish()
    mixes, stems = zip(*given_back, strict=True) if given_back else ((mix,), (mix[:, None],))
    return np.concatenate(mixes, axis=-1), np.concatenate(stems, axis=-1)


def noise(frames: int, lanes: int = 1) -> Samples:
    return np.random.default_rng(frames).standard_normal((lanes, 2, frames)).astype(np.float32)


@given(
    frames=st.integers(1, 5000),
    cuts=st.lists(st.integers(0, 5000), max_size=6),
    overlap=st.sampled_from([0, 1, 200, 500]),
    lead=st.sampled_from([0, 70]),
)
@settings(deadline=None)
def test_stream_of_any_length_and_cuts_gives_every_frame_once(
    frames: int, cuts: list[int], overlap: int, lead: int
) -> None:
    mix = noise(frames)
    network = Halves(overlap_frames=overlap, lead_frames=lead)

    back, stems = stream(network, mix, sorted(cut for cut in cuts if cut <= frames))

    np.testing.assert_array_equal(back, mix)
    assert stems.shape == (1, 1, 2, frames)
    np.testing.assert_allclose(stems[:, 0], mix / 2, atol=1e-6)


@dataclass
class Looking(Halves):
    """Notes the chunks that it is given."""

    seen: list[Samples] = field(default_factory=list[Samples])

    def __call__(self, mix: Samples) -> Samples:
        self.seen.append(mix.copy())
        return super().__call__(mix)


class Mirrors(Halves):
    """Gives each chunk backwards: no frame of the result is right if a chunk stands elsewhere."""

    def __call__(self, mix: Samples) -> Samples:
        self.calls += 1
        return mix[:, np.newaxis, :, ::-1].copy()


@given(
    frames=st.integers(1, 9000),
    silence=st.tuples(st.integers(0, 9000), st.integers(0, 4000)),
    cuts=st.lists(st.integers(0, 9000), max_size=6),
    batch=st.integers(2, 7),
    lanes=st.integers(1, 2),
    overlap=st.sampled_from([0, 1, 200, 750]),
    lead=st.sampled_from([0, 70]),
    fade=st.sampled_from(Fade),
    last_chunk=st.sampled_from(LastChunk),
    normalisation=st.sampled_from([None, Normalisation(0.25, 2, restores_mean=True)]),
)
@settings(deadline=None, max_examples=300)
def test_batches_change_no_bit_of_the_result(
    frames: int,
    silence: tuple[int, int],
    cuts: list[int],
    batch: int,
    lanes: int,
    overlap: int,
    lead: int,
    fade: Fade,
    last_chunk: LastChunk,
    normalisation: Normalisation | None,
) -> None:
    mix = noise(frames, lanes)
    mix[..., silence[0] : sum(silence)] = 0
    cuts = sorted(cut for cut in cuts if cut <= frames)

    def streamed(batch: int, cuts: list[int]) -> tuple[Samples, Samples]:
        network = Mirrors(
            overlap_frames=overlap,
            lead_frames=lead,
            fade=fade,
            last_chunk=last_chunk,
            batch=batch,
        )
        return stream(network, mix, cuts, normalisation)

    back, stems = streamed(batch, cuts)
    one_back, one_stems = streamed(1, [])

    np.testing.assert_array_equal(back, mix)
    np.testing.assert_array_equal(one_back, mix)
    np.testing.assert_array_equal(stems, one_stems)


def test_chunks_are_given_together_and_those_that_are_left_in_the_end() -> None:
    network = Looking(batch=3)

    stream(network, noise(1000 + 7 * 800 + 100, lanes=2), [])

    # Chunks begin at 0, 800 … 5600; the ninth holds 300 frames.
    assert [len(seen) for seen in network.seen] == [6, 6, 4, 2]


def test_silent_chunks_of_a_batch_are_left_out() -> None:
    network = Looking(batch=4)
    mix = noise(1000 + 3 * 800)
    mix[..., 800:1800] = 0

    _, stems = stream(network, mix, [])

    assert [len(seen) for seen in network.seen] == [3, 1]
    np.testing.assert_array_equal(network.seen[0][1], mix[0, :, 1600:2600])
    np.testing.assert_allclose(stems[:, 0], mix / 2, atol=1e-6)


@dataclass
class Shrinking(Halves):
    """Takes one chunk less from call to call."""

    given: list[int] = field(default_factory=list[int])

    def __call__(self, mix: Samples) -> Samples:
        self.given.append(len(mix))
        self.batch = max(self.batch - 1, 1)
        return super().__call__(mix)


@pytest.mark.parametrize("cut", [0, 777, 2600])
def test_batch_that_shrinks_is_followed_at_once(cut: int) -> None:
    network = Shrinking(batch=3)
    mix = noise(1000 + 7 * 800)

    back, stems = stream(network, mix, [cut])

    assert network.given == [3, 2, 1, 1, 1, 1]  # the last of them ends the stream
    np.testing.assert_array_equal(back, mix)
    np.testing.assert_allclose(stems[:, 0], mix / 2, atol=1e-6)


def test_stream_without_crossfade_sums_the_overlaps() -> None:
    mix = np.ones((1, 2, 1800), np.float32)

    _, stems = stream(Halves(fade=Fade.SUM), mix, [])

    assert (stems[..., :800] == 0.5).all()
    assert (stems[..., 800:1000] == 1.0).all()
    assert (stems[..., 1000:1600] == 0.5).all()


def test_stream_of_silence_runs_no_network() -> None:
    network = Halves()

    _, stems = stream(network, np.zeros((1, 2, 4000), np.float32), [])

    assert network.calls == 0
    assert not stems.any()


@pytest.mark.parametrize("batch", [1, 4])
def test_stream_holds_no_more_than_the_input_of_a_batch(batch: int) -> None:
    overlap_add = OverlapAdd(Halves(batch=batch), lanes=1)
    given_back = 0
    for _ in range(50):
        given_back += sum(mix.shape[-1] for mix, _ in overlap_add.push(noise(100)))
    assert given_back >= 50 * 100 - 1000 - (batch - 1) * 800


@pytest.mark.parametrize("frames", [0, 1, 16, 65_536])
@pytest.mark.parametrize("fade", [Fade.RAISED_COSINE, Fade.LINEAR])
def test_fade_in_and_its_mirror_sum_to_one(frames: int, fade: Fade) -> None:
    rising = fade_in(frames, fade)

    assert rising is not None

    np.testing.assert_allclose(rising + rising[::-1], np.ones(frames), atol=1e-6)


@given(frames=st.integers(1, 5000), cut=st.integers(0, 5000))
@settings(deadline=None)
@pytest.mark.parametrize("last_chunk", [LastChunk.CENTRED, LastChunk.SHORT])
@pytest.mark.parametrize("fade", [Fade.LINEAR, Fade.RAISED_COSINE])
def test_end_of_any_stream_is_given_once_wherever_it_stands_in_its_chunk(
    frames: int, cut: int, last_chunk: LastChunk, fade: Fade
) -> None:
    mix = noise(frames)

    back, stems = stream(
        Halves(last_chunk=last_chunk, fade=fade), mix, [cut] if cut <= frames else []
    )

    np.testing.assert_array_equal(back, mix)
    np.testing.assert_allclose(stems[:, 0], mix / 2, atol=1e-6)


def test_centred_last_chunk_has_what_came_before_it() -> None:
    network = Looking(last_chunk=LastChunk.CENTRED, fade=Fade.LINEAR)
    mix = noise(1900)

    stream(network, mix, [])

    # Chunks begin at 0, 800 (full) and 1600: 300 frames are left, 350 stand before them.
    last = network.seen[-1]
    np.testing.assert_array_equal(last[..., :650], mix[..., 1250:])
    assert not last[..., 650:].any()


def test_centred_chunk_of_a_short_stream_has_silence_on_both_sides() -> None:
    network = Looking(last_chunk=LastChunk.CENTRED)
    mix = noise(101)

    stream(network, mix, [])

    (only,) = network.seen
    np.testing.assert_array_equal(only[..., 449:550], mix)
    assert not only[..., :449].any()
    assert not only[..., 550:].any()


def test_short_last_chunk_is_given_as_it_is() -> None:
    network = Looking(last_chunk=LastChunk.SHORT)

    stream(network, noise(1900), [])

    assert [chunk.shape[-1] for chunk in network.seen] == [1000, 1000, 300]


def test_network_sees_the_stream_normalised_and_silence_as_it_is() -> None:
    network = Looking(last_chunk=LastChunk.CENTRED)
    mix = noise(500) + np.float32(3)
    overlap_add = OverlapAdd(network, 1, Normalisation(mean=3, deviation=2, restores_mean=True))

    given_back = [*overlap_add.push(mix), *overlap_add.finish()]

    (chunk,) = network.seen
    np.testing.assert_allclose(chunk[..., 250:750], (mix - 3) / 2, atol=1e-6)
    assert not chunk[..., :250].any()
    ((back, stems),) = given_back
    np.testing.assert_array_equal(back, mix)
    np.testing.assert_allclose(stems[:, 0], (mix - 3) / 2 + 3, atol=1e-6)
