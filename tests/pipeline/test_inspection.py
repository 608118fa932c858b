"""What a computing process finds of itself, by doing it."""

import json
import shutil
import time
from pathlib import Path
from typing import cast

import pytest
from small_disks import mounted
from test_computing import Computing

from stemset.catalogue.entries import find
from stemset.catalogue.strategies import every_slot
from stemset.orders.checks import Inspect, Inspected
from stemset.orders.messages import Failure
from stemset.pipeline import inspection
from stemset.pipeline.attempt import Bench
from stemset.pipeline.inspection import inspect, times_realtime
from stemset.pipeline.networks import Networks
from stemset.separation.network import Network, Samples
from stemset.separation.signals import plan_signals

MODEL = "spleeter-2stems"


def inspected(folder: Path | None, networks: Networks, *models: str, **bench: object) -> Inspected:
    scratch = folder and str(folder)
    return inspect(Inspect(seq=7, models=models), Bench(networks, scratch, **bench))  # type: ignore[arg-type]


def code(failure: Failure | None) -> str | None:
    return failure and failure.code


def network_of(networks: Networks) -> Network:
    (network,) = networks.load(plan_signals(every_slot(find(MODEL)))).values()
    return network


def test_inspect_measures_what_it_has_and_leaves_nothing(
    tmp_path: Path, networks: Networks
) -> None:
    found = inspected(tmp_path / "scratch", networks, MODEL)

    assert (found.seq, found.device, found.measured) == (7, networks.device, MODEL)
    assert found.times_realtime is not None
    assert found.times_realtime > 0.5
    assert found.scratch_free_bytes is not None
    assert found.scratch_free_bytes > 0
    assert [found.scratch_error, found.models_error, found.computing_error] == [None] * 3
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == [".lock"]


def test_inspect_without_models_looks_at_the_disk_alone(tmp_path: Path) -> None:
    found = inspected(tmp_path, Networks())

    assert found.scratch_free_bytes
    assert found.times_realtime is None


def test_inspect_models_that_an_order_would_not_get_are_named(
    tmp_path: Path, networks: Networks, example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = inspected(tmp_path, networks, "no-such-model")
    forbidden = inspected(tmp_path, networks, MODEL, allow_licences=("CC0-1.0",))
    monkeypatch.setenv("STEMSET_MODEL_DIR", str(tmp_path / "none"))
    missing = inspected(tmp_path, networks, MODEL)
    copy = tmp_path / "damaged" / MODEL
    copy.mkdir(parents=True)
    for file in example.parent.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "model.onnx").write_bytes(b"damaged")
    monkeypatch.setenv("STEMSET_MODEL_DIR", str(tmp_path / "damaged"))
    damaged = inspected(tmp_path, networks, MODEL)

    found = [unknown, forbidden, missing, damaged]
    assert [code(each.models_error) for each in found] == [
        "model_unknown",
        "licence_refused",
        "model_missing",
        "model_corrupt",
    ]
    assert {each.times_realtime for each in found} == {None}
    assert not any(each.computing_error for each in found)


def test_inspect_network_that_should_use_a_gpu_and_does_not_says_why(
    tmp_path: Path, example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del example  # its model is what is needed
    cold = Networks()
    network = network_of(cold)
    network.gpu_trouble = "The GPU is not used: its driver is too old."
    troubled = inspected(tmp_path, cold, MODEL)
    network.gpu_trouble = None
    monkeypatch.setattr(inspection, "gpu_is_here", lambda: True)
    unused = inspected(tmp_path, cold, MODEL)

    assert code(troubled.computing_error) == code(unused.computing_error) == "network_failed"
    assert troubled.computing_error
    assert "its driver is too old" in troubled.computing_error.detail
    assert unused.computing_error
    assert "A GPU is here and spleeter-2stems computes on the CPU" in unused.computing_error.detail
    assert unused.times_realtime is None


def test_inspect_network_that_cannot_be_loaded_says_why(
    tmp_path: Path, example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del example  # its model is what is needed
    monkeypatch.setenv("STEMSET_PRECISION", "half")

    found = inspected(tmp_path, Networks(), MODEL)

    assert code(found.computing_error) == "config_invalid"


def test_inspect_scratch_folder_that_is_full_or_none_is_said(
    tmp_path: Path, networks: Networks
) -> None:
    (tmp_path / "file").touch()
    none = inspected(tmp_path / "file" / "folder", networks)
    with mounted(tmp_path / "disk", "64k") as disk:
        (disk / "all").write_bytes(bytes(shutil.disk_usage(disk).free))
        full = inspected(disk, networks)

    assert code(none.scratch_error) == "output_unwritable"
    assert code(full.scratch_error) == "no_space"


class Slow:
    """A network of one second, which takes as long as it is told."""

    chunk_frames = rate_hz = 8_000

    def __init__(self, *takes_s: float) -> None:
        self.takes_s = list(takes_s)

    def __call__(self, mix: Samples) -> Samples:
        time.sleep(self.takes_s.pop(0))
        return mix


@pytest.mark.alone
def test_times_realtime_is_that_of_the_second_run_unless_the_first_took_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspection, "_WARM_WITHIN_S", 0.3)

    warmed = times_realtime(cast("Network", Slow(0.2, 0.05)))
    slow = times_realtime(cast("Network", Slow(0.5)))

    assert 5 < warmed <= 20
    assert 1 < slow <= 2


def test_computing_process_answers_between_orders(tmp_path: Path, example: Path) -> None:
    del example  # its model is what is needed
    (tmp_path / "bucket").mkdir()
    computing = Computing(tmp_path / "bucket", tmp_path / "scratch")
    try:
        assert computing.line()["kind"] == "ready"
        computing.send(Inspect(seq=1, models=(MODEL,)))
        computing.send(Inspect(seq=2, models=("no-such-model",)))
        found = [computing.line(), computing.line()]
    finally:
        status, logged = computing.end_of_input()

    assert [each["seq"] for each in found] == [1, 2]
    assert found[0]["times_realtime"] > 0.5
    assert found[1]["models_error"]["code"] == "model_unknown"
    assert status == 0
    assert [json.loads(line) for line in logged.splitlines()] == []
