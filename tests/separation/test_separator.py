from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stemset.audio.formats import Depth
from stemset.catalogue.entries import find
from stemset.catalogue.strategies import Node, find_strategy, parse_strategy
from stemset.catalogue.weights import load_files
from stemset.errors import NetworkFailed
from stemset.pipeline.networks import Networks
from stemset.separation.closing import Closing
from stemset.separation.network import Fade, LastChunk, Network, Precision, Samples
from stemset.separation.networks import load_network
from stemset.separation.separator import Separator
from stemset.separation.signals import plan_signals

MODEL = "spleeter-2stems"
STEREO = ("FL", "FR")
TWO_DEEP = parse_strategy(
    {
        "_": MODEL,
        "vocals": {"_": MODEL, "vocals": "lead", "accompaniment": "bleed"},
        "accompaniment": "band",
    }
)


def separate(
    mix: NDArray[Any],
    strategy: Node,
    networks: dict[str, Network],
    *,
    rate_hz: int = 44_100,
    channels: tuple[str, ...] = STEREO,
    depth: Depth | None = None,
    block_frames: int = 65_536,
    original_manner: bool = False,
) -> tuple[dict[str, NDArray[Any]], Closing]:
    plan = plan_signals(strategy, original_manner=original_manner)
    separator = Separator(plan, networks, rate_hz=rate_hz, channels=channels)
    closing = Closing(plan, depth)
    parts = []
    for start in range(0, mix.shape[1], block_frames):
        block = mix[:, start : start + block_frames]
        closing.push_mix(block)
        for signal, part in separator.push(block):
            closing.push_signal(signal, part)
        parts += closing.take()
    for signal, part in separator.finish():
        closing.push_signal(signal, part)
    parts += closing.finish()
    stems = {name: np.concatenate([p[name] for p in parts], axis=1) for name in plan.names}
    return stems, closing


def loaded(networks: Networks, strategy: Node, *, original: bool = False) -> dict[str, Network]:
    plan = plan_signals(strategy, original_manner=original)
    return networks.load(plan, original_manner=original)


def decibels(signal: NDArray[np.floating], error: NDArray[np.floating]) -> float:
    return 10 * np.log10((signal**2.0).sum() / (error**2.0).sum())


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000, 8_000])
def test_stems_of_any_rate_have_the_mixs_length_and_add_up(
    song: NDArray[np.float32], networks: Networks, rate_hz: int
) -> None:
    mix = np.rint(song[:, : 3 * rate_hz + 7] * 2**23).astype(np.float32) / 2**23
    strategy = find_strategy(MODEL)

    stems, closing = separate(
        mix, strategy, loaded(networks, strategy), rate_hz=rate_hz, depth=Depth.S24
    )

    assert {stem.shape for stem in stems.values()} == {mix.shape}
    np.testing.assert_array_equal(
        stems["vocals"] + stems["accompaniment"], np.rint(mix * 2**23).astype(np.int32)
    )
    assert closing.sum_error.exact
    assert all(stem.any() for stem in stems.values())


def test_stems_of_a_tree_of_two_nodes_add_up(song: NDArray[np.float32], networks: Networks) -> None:
    stems, closing = separate(song, TWO_DEEP, loaded(networks, TWO_DEEP), depth=Depth.S24)

    assert list(stems) == ["lead", "bleed", "band"]
    assert closing.sum_error.largest < 2**-23
    lead, bleed = (float((stems[name].astype(float) ** 2).sum()) for name in ("lead", "bleed"))
    assert lead > bleed > 0


def test_stems_do_not_depend_on_how_the_mix_is_cut_into_blocks(
    song: NDArray[np.float32], networks: Networks
) -> None:
    strategy = find_strategy(MODEL)
    mix = song[:, :200_000]
    runs = [
        separate(mix, strategy, loaded(networks, strategy), rate_hz=48_000, block_frames=frames)[0]
        for frames in (1_111, 65_536, 200_000)
    ]

    for other in runs[1:]:
        for name, stem in runs[0].items():
            np.testing.assert_array_equal(stem, other[name])


def test_mono_comes_back_as_mono(song: NDArray[np.float32], networks: Networks) -> None:
    strategy = find_strategy(MODEL)
    mono = song.mean(axis=0, keepdims=True)

    one, _ = separate(mono, strategy, loaded(networks, strategy), channels=("FC",))
    two, _ = separate(np.repeat(mono, 2, axis=0), strategy, loaded(networks, strategy))

    np.testing.assert_allclose(one["vocals"][0], two["vocals"].mean(axis=0), atol=1e-6)


def test_low_frequency_channel_goes_to_the_closing_stem(
    song: NDArray[np.float32], networks: Networks
) -> None:
    strategy = find_strategy(MODEL)
    surround = np.concatenate([song, song, song])[:, :150_000]
    names = ("FL", "FR", "FC", "LFE", "BL", "BR")

    stems, _ = separate(surround, strategy, loaded(networks, strategy), channels=names)

    assert not stems["vocals"][3].any()
    np.testing.assert_array_equal(stems["accompaniment"][3], surround[3])
    assert all(stems["vocals"][channel].any() for channel in (0, 1, 2, 4, 5))


def test_original_manner_is_the_whole_file_computation(
    song: NDArray[np.float32], networks: Networks
) -> None:
    """The stream against one transform of the whole file, written down anew."""
    mix = np.tile(song, (1, 2))
    strategy = find_strategy(MODEL)
    network = loaded(networks, strategy, original=True)[MODEL]

    stems, _ = separate(mix, strategy, {MODEL: network}, original_manner=True)
    whole = whole_file(mix, network)

    inner = slice(2 * 4096, -3 * 4096)  # at the ends the two are normalised differently
    for name in ("vocals", "accompaniment"):
        expected, heard = whole[name][:, inner], stems[name][:, inner]
        assert decibels(expected, heard - expected) > 80


def whole_file(mix: NDArray[np.float32], network: Any) -> dict[str, NDArray[np.floating]]:
    """Spleeter as published: masks of 512 windows each, nothing above 11 kHz."""
    window = np.hanning(4097)[:-1]
    padded = np.pad(mix, ((0, 0), (2048, 2048 + 1024)))
    starts = range(0, padded.shape[1] - 4096, 1024)
    spectrum = np.stack([np.fft.rfft(padded[:, s : s + 4096] * window) for s in starts], axis=1)
    magnitude = np.abs(spectrum[..., :1024]).astype(np.float32)
    missing = -magnitude.shape[1] % 512
    segments = np.pad(magnitude, ((0, 0), (0, missing), (0, 0)))
    masks = [
        network._graph.run({"magnitude": segments[None, :, s : s + 512]})[0]
        for s in range(0, segments.shape[1], 512)
    ]
    mask = np.concatenate(masks, axis=1)[:, : magnitude.shape[1]]
    stems = {}
    for name, share in (("vocals", mask), ("accompaniment", 1 - mask)):
        out = np.zeros(padded.shape)
        for index, start in enumerate(starts):
            masked = np.zeros((2, 2049), complex)
            masked[:, :1024] = spectrum[:, index, :1024] * share[:, index]
            out[:, start : start + 4096] += np.fft.irfft(masked) * window
        stems[name] = out[:, 2048 : 2048 + mix.shape[1]] / 1.5
    return stems


@pytest.mark.slow
def test_chunk_borders_are_no_worse_than_the_rest(
    song: NDArray[np.float32], networks: Networks
) -> None:
    """Against chunks that overlap by three quarters, no 100 ms at a border stands out.

    The same music passes at several offsets, so that what is at a border once is elsewhere then.
    """
    mix = np.tile(song, (1, 3))
    strategy = find_strategy("vocals-only")
    plain = loaded(networks, strategy)[MODEL]
    entry = find(MODEL)
    careful = load_network(entry, load_files(entry), ["vocals"], threads=2)
    careful.overlap_frames = 3 * careful.chunk_frames // 4
    reference = separate(mix, strategy, {MODEL: careful})[0]["vocals"]
    hop = plain.chunk_frames - plain.overlap_frames

    at_border, elsewhere = [], []
    for offset in range(0, hop, hop // 6 // 4410 * 4410):
        padded = np.pad(mix, ((0, 0), (offset, 0)))
        heard = separate(padded, strategy, {MODEL: plain})[0]["vocals"][:, offset:]
        errors = windowed_error_db(heard, reference, mix)
        frames = np.arange(len(errors)) * 4410 + offset
        border = (frames > hop - 4410) & (frames % hop < plain.overlap_frames)
        at_border.append(errors[border])
        elsewhere.append(errors[~border])

    assert np.concatenate(at_border).max() <= np.concatenate(elsewhere).max()


def windowed_error_db(
    heard: NDArray[Any], reference: NDArray[Any], mix: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Error of each 100 ms relative to the mix there, which is never silent in this song."""
    windows = mix.shape[1] // 4410
    shape = (2, windows, 4410)
    difference = (heard - reference)[:, : windows * 4410].reshape(shape).astype(float)
    level = mix[:, : windows * 4410].reshape(shape).astype(float)
    floor = 1e-4 * (mix.astype(float) ** 2).mean() * 2 * 4410
    return 10 * np.log10(
        ((difference**2).sum(axis=(0, 2)) + 1e-20) / ((level**2).sum(axis=(0, 2)) + floor)
    )


def test_network_that_gives_nan_is_refused(song: NDArray[np.float32], networks: Networks) -> None:
    strategy = find_strategy("vocals-only")
    real = loaded(networks, strategy)[MODEL]

    class Broken:
        slots = real.slots
        rate_hz, chunk_frames, overlap_frames = 44_100, 100_000, 1_000
        fade, lead_frames, device = Fade.RAISED_COSINE, 0, "cpu"
        gpu_trouble: str | None = None
        last_chunk, normalised = LastChunk.AT_START, False
        precision, batch = Precision.FLOAT32, 1

        def __call__(self, mix: Samples) -> Samples:
            return np.full((len(mix), 1, 2, self.chunk_frames), np.nan, np.float32)

    with pytest.raises(NetworkFailed, match="NaN"):
        separate(song, strategy, {MODEL: Broken()})
