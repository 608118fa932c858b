import pytest

from stemset.cli.bars import in_words
from stemset.cli.progress import Phase, Progress, RemoteProgress
from stemset.cli.remote.meter import Meter


def test_meter_counts_what_is_here_and_never_exceeds_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("stemset.cli.remote.meter.time.monotonic", lambda: now)
    told: list[Progress] = []
    meter = Meter(Phase.FETCHING_STEMS, 1000, told.append)

    meter.found(500)
    now = 2.0
    meter(100)
    now = 2.1
    meter(100)  # too soon to be told
    now = 4.0
    meter(900)

    assert [(each.fraction, each.eta_s) for each in told] == [(0.0, None), (0.6, 8.0), (1.0, 0.0)]


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (RemoteProgress(Phase.UPLOADING, 0.5, 185.0), "uploading, 3:05 left"),
        (RemoteProgress(Phase.WAKING, 0.0), "waking the worker"),
        (RemoteProgress(Phase.LOADING, 0.0), "loading the network"),
        (RemoteProgress(Phase.SEPARATING, 0.5, 3.21), "separating, 3.2 s left"),
        (RemoteProgress(Phase.UPLOADING_STEMS, 0.9), "uploading stems"),
        (RemoteProgress(Phase.FETCHING_STEMS, 0.9, 12), "fetching stems, 12 s left"),
    ],
)
def test_progress_is_said_in_words(progress: Progress, words: str) -> None:
    assert in_words(progress) == words
