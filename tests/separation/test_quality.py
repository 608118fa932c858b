"""Made-up failures are told; stems as they should be are not."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from stemset.separation.network import Samples
from stemset.separation.quality import Border, ClippingMeter, QualityMeter, borders_of

RATE_HZ = 8000
BORDER = Border(first_s=1.5, every_s=1.5)
Stems = dict[str, Samples]


def noise(seconds: float, level: float, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    white = random.standard_normal((2, int(seconds * RATE_HZ) + 8))
    smooth = np.apply_along_axis(lambda row: np.convolve(row, np.hanning(9), "valid"), 1, white)
    return (level * smooth / smooth.std()).astype(np.float32)


@pytest.fixture
def stems() -> Stems:
    """10 s of two sounds that have nothing to do with each other."""
    return {"vocals": noise(10, 0.1, 1), "drums": noise(10, 0.1, 2)}


def warnings(
    stems: Stems, *, blocks: int = 7, full_scale: float = 1.0, borders: tuple[Border, ...] = ()
) -> list[str]:
    meter = QualityMeter(tuple(stems), RATE_HZ, borders, full_scale=full_scale)
    parts = {name: np.array_split(stem, blocks, axis=1) for name, stem in stems.items()}
    for index in range(blocks):
        meter.push({name: part[index] for name, part in parts.items()})
    return list(meter.warnings())


def test_good_stems_are_not_complained_of(stems: Stems):
    assert warnings(stems, borders=(BORDER,)) == []
    assert warnings({name: stem[:1] for name, stem in stems.items()}, borders=(BORDER,)) == []


@pytest.mark.parametrize("blocks", [1, 2, 7, 999])
def test_stem_that_stays_at_full_scale_is_told_with_the_number_of_places(stems: Stems, blocks: int):
    for place in (100, 40_000, 79_997):
        stems["drums"][1, place : place + 3] = -1

    assert warnings(stems, blocks=blocks) == [
        "The stem drums sounds clipped: it stays at full scale in 3 places."
    ]


def test_integers_are_held_against_their_own_full_scale(stems: Stems):
    whole = {name: np.rint(stem * 2**15).astype(np.int32) for name, stem in stems.items()}
    assert warnings(whole, full_scale=2**15) == []  # type: ignore[arg-type]

    whole["vocals"][0, 5000:5009] = 2**15 - 1

    assert warnings(whole, full_scale=2**15) == [  # type: ignore[arg-type]
        "The stem vocals sounds clipped: it stays at full scale in 1 place."
    ]


@pytest.mark.parametrize(("run", "places"), [(1, 0), (2, 0), (3, 1), (30, 1)])
def test_peak_that_touches_full_scale_is_not_clipped(run: int, places: int):
    block = np.zeros((1, 1000), np.float32)
    block[0, 500 : 500 + run] = 1
    meter = ClippingMeter()
    for part in np.array_split(block, 499, axis=1):
        meter.push(part)

    assert meter.places == places


@pytest.mark.parametrize("sample", [-(2**31), 2**31 - 1])
def test_integers_of_32_bits_at_full_scale_are_clipped(sample: int):
    meter = ClippingMeter(2.0**31)

    meter.push(np.full((2, 9), sample, np.int32))

    assert meter.places == 2


def test_stem_that_is_heard_in_another_is_told_with_its_level(stems: Stems):
    stems["vocals"][:, 3 * RATE_HZ :] = 0.2 * stems["drums"][:, 3 * RATE_HZ :]

    (told,) = warnings(stems)

    assert told == "The stem drums is heard in vocals as well, at -14 dB, for 7 s."


@pytest.mark.parametrize(
    "made",
    [
        lambda stems: stems["vocals"] + 0.2 * stems["drums"],
        lambda stems: 0.02 * stems["drums"],
        lambda stems: np.zeros_like(stems["drums"]),
        lambda stems: 0.2 * stems["drums"] * (np.arange(10 * RATE_HZ) < 2 * RATE_HZ),
    ],
    ids=["below the music", "faint", "silent", "short"],
)
def test_little_of_another_stem_is_not_told(
    stems: Stems, made: Callable[[Stems], NDArray[np.floating]]
):
    assert warnings({**stems, "vocals": made(stems).astype(np.float32)}) == []


def with_steps(stem: Samples, every_s: float) -> Samples:
    """A sound that jumps where chunks meet."""
    chunk = (np.arange(stem.shape[-1]) / RATE_HZ // every_s).astype(int)
    return (stem + 0.3 * (chunk % 2)).astype(np.float32)


@pytest.mark.parametrize("blocks", [1, 7, 400])
def test_clicks_where_chunks_meet_are_told(stems: Stems, blocks: int):
    stems["vocals"] = with_steps(stems["vocals"] * np.float32(0.1), BORDER.every_s)

    assert warnings(stems, blocks=blocks, borders=(BORDER,)) == [
        "The stem vocals has clicks where chunks meet, in 6 places."
    ]


def test_clicks_elsewhere_are_music(stems: Stems):
    stems["vocals"] = with_steps(stems["vocals"] * np.float32(0.1), 1.1)

    assert warnings(stems, borders=(BORDER,)) == []


def test_one_click_may_be_chance(stems: Stems):
    stems["vocals"][:, round(3.0 * RATE_HZ) :] += np.float32(0.4)

    assert warnings(stems, borders=(BORDER,)) == []


class FakeShape:
    """As much of a network as has borders."""

    slots = ("a",)
    rate_hz = 100
    chunk_frames = 800
    overlap_frames = 200
    lead_frames = 100


def test_borders_are_where_chunks_begin_and_where_overlaps_end():
    begins, ends = borders_of([FakeShape()])  # type: ignore[list-item]

    assert begins == Border(first_s=5.0, every_s=6.0)
    assert ends == Border(first_s=7.0, every_s=6.0)


def test_meter_holds_no_more_after_an_hour_than_after_a_minute():
    meter = QualityMeter(("a", "b"), RATE_HZ, (BORDER,))
    block: NDArray[np.float32] = noise(10, 0.1, 3)
    sizes = []
    for _ in range(2):
        for _ in range(6):
            meter.push({"a": block, "b": 0.5 * block[:, ::-1]})
        sizes.append(meter._seams._kept.nbytes)

    assert sizes[0] == sizes[1]
    assert list(meter.leaks()) == []
