import numpy as np
import pytest

from stemset.separation.statistics import Normalisation, StatisticsMeter


def test_statistics_of_blocks_are_those_of_the_whole() -> None:
    mix = np.random.default_rng(1).standard_normal((2, 10_001)).astype(np.float32) * 0.2 + 0.05
    meter = StatisticsMeter()
    for block in np.array_split(mix, 7, axis=1):
        meter.push(block)

    found = meter.result()

    mono = mix.astype(np.float64).mean(axis=0)
    assert found.mean == pytest.approx(mono.mean(), rel=1e-9)
    assert found.deviation == pytest.approx(mono.std(ddof=1), rel=1e-6)
    assert not found.restores_mean


@pytest.mark.parametrize("frames", [0, 1, 50])
def test_statistics_of_nothing_and_of_silence_divide_by_no_zero(frames: int) -> None:
    meter = StatisticsMeter()
    meter.push(np.zeros((2, frames), np.float32))

    found = meter.result()

    assert found.mean == 0
    assert found.deviation > 0


def test_normalisation_is_undone_but_for_the_mean() -> None:
    mix = np.ones((1, 2, 4), np.float32)
    normalisation = Normalisation(mean=0.5, deviation=0.25)

    assert (normalisation.apply(mix) == 2).all()
    assert (normalisation.undo(normalisation.apply(mix)) == 0.5).all()
