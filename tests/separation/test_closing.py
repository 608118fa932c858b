import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemset.audio.formats import Depth
from stemset.catalogue.strategies import find_strategy
from stemset.separation.closing import Closing
from stemset.separation.signals import plan_signals

PLAN = plan_signals(find_strategy("spleeter-2stems"))
VOCALS = ("vocals",)


def random_block(seed: int, frames: int, level: float = 0.5) -> np.ndarray:
    return (level * np.random.default_rng(seed).uniform(-1, 1, (2, frames))).astype(np.float32)


def close_all(closing: Closing, mix: np.ndarray, vocals: np.ndarray) -> dict[str, np.ndarray]:
    closing.push_mix(mix)
    closing.push_signal(VOCALS, vocals)
    parts = list(closing.finish())
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in PLAN.names}


@pytest.mark.parametrize("depth", [Depth.S16, Depth.S24, Depth.S32])
def test_stems_in_integers_add_up_to_the_mix_in_the_last_bit(depth: Depth) -> None:
    top = 2 ** (depth.bits - 1)
    written = np.random.default_rng(0).integers(-top // 2, top // 2, (2, 5000))
    mix = (written / top).astype(np.float64 if depth is Depth.S32 else np.float32)
    closing = Closing(PLAN, depth)

    stems = close_all(closing, mix, random_block(1, 5000, 0.3))

    np.testing.assert_array_equal(stems["vocals"] + stems["accompaniment"], written)
    assert closing.sum_error.exact
    assert closing.overshoot.clipped == 0


@pytest.mark.parametrize("depth", [Depth.F32, None])
def test_stems_in_floats_add_up_within_their_rounding(depth: Depth | None) -> None:
    closing = Closing(PLAN, depth)

    stems = close_all(closing, random_block(0, 5000), random_block(1, 5000))

    assert stems["vocals"].dtype == stems["accompaniment"].dtype == np.float32
    assert closing.sum_error.largest <= 2**-24
    assert closing.sum_error.db is not None
    assert closing.sum_error.db < -140


def test_stem_that_overshoots_is_clipped_counted_and_its_peak_known() -> None:
    closing = Closing(PLAN, Depth.S16)
    mix = np.full((2, 10), 0.9, np.float32)

    stems = close_all(closing, mix, -0.6 * np.ones((2, 10), np.float32))

    assert stems["accompaniment"].max() == 32767
    assert closing.overshoot.clipped == 20
    assert closing.overshoot.peak == pytest.approx(1.5, abs=1e-3)


def test_gain_scales_the_mix_and_every_stem() -> None:
    closing = Closing(PLAN, Depth.S16, gain=0.5)
    mix = np.full((2, 10), 0.9, np.float32)

    stems = close_all(closing, mix, -0.6 * np.ones((2, 10), np.float32))

    assert (stems["vocals"] == round(-0.3 * 32768)).all()
    assert (stems["vocals"] + stems["accompaniment"] == round(0.45 * 32768)).all()
    assert closing.overshoot.clipped == 0


@given(
    mix_cuts=st.lists(st.integers(0, 300), max_size=5),
    signal_cuts=st.lists(st.integers(0, 300), max_size=5),
    extra=st.integers(-2, 2),
)
@settings(deadline=None)
def test_signals_that_arrive_late_short_or_long_are_aligned_to_the_mix(
    mix_cuts: list[int], signal_cuts: list[int], extra: int
) -> None:
    mix, vocals = random_block(0, 300), random_block(1, 300 + extra)
    closing = Closing(PLAN, Depth.S16)
    parts: list[dict[str, np.ndarray]] = []
    for block in np.split(mix, sorted(mix_cuts), axis=1):
        closing.push_mix(block)
        parts += [dict(ready) for ready in closing.take()]
    for block in np.split(vocals, sorted(signal_cuts), axis=1):
        closing.push_signal(VOCALS, block)
        parts += [dict(ready) for ready in closing.take()]
    parts += [dict(part) for part in closing.finish()]

    stems = {name: np.concatenate([part[name] for part in parts], axis=1) for name in PLAN.names}
    assert stems["vocals"].shape == (2, 300)
    heard = min(300, 300 + extra)
    np.testing.assert_array_equal(
        stems["vocals"][:, :heard], np.rint(vocals[:, :heard] * np.float32(32768)).astype(np.int32)
    )
    assert not stems["vocals"][:, heard:].any()
