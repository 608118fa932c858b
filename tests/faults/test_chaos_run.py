"""A short run through every kind of fault; `scripts/chaos.py` makes long ones."""

from pathlib import Path

import numpy as np
import pytest
from chaos_run import Extent, run
from numpy.typing import NDArray

SEED = 20_261_124
SECONDS = 40.0


@pytest.mark.slow
def test_jobs_survive_whatever_is_done_to_the_processes(
    song: NDArray[np.float32], tmp_path: Path
) -> None:
    account = run(song, SEED, Extent(SECONDS), tmp_path / "service")

    assert account.problems == [], str(account)
    assert account.states["complete"] > 0
    assert sum(account.faults.values()) > 0
