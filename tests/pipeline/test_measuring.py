"""A strategy's cost, measured by splitting a made-up recording."""

from datetime import date
from pathlib import Path

import av

from stemset.catalogue.strategies import find_strategy
from stemset.pipeline.measuring import measure
from stemset.pipeline.networks import Networks


def test_measure_splits_a_recording_as_any_other(networks: Networks, tmp_path: Path):
    told: list[float] = []

    speed = measure(
        "vocals-only",
        find_strategy("vocals-only"),
        networks,
        tmp_path,
        on_progress=lambda progress: told.append(progress.fraction),
    )

    assert (speed.strategy, speed.device) == ("vocals-only", "cpu")
    assert speed.precision == "float32"
    assert speed.wall_s > 0
    assert speed.cpu_s > 0
    assert date.fromisoformat(speed.day)
    assert told[-1] == 1
    recording = max(tmp_path.glob("*.wav"), key=lambda path: path.stat().st_size)
    with av.open(str(recording)) as file:
        (stream,) = file.streams.audio
        assert (stream.codec.name, stream.rate, stream.channels) == ("pcm_s24le", 48_000, 2)
        assert file.duration == round(speed.audio_s * 1_000_000)
    assert len(list((tmp_path / "stems").glob("*/vocals.opus"))) == len(
        list(tmp_path.glob("*.wav"))
    )
