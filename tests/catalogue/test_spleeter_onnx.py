from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from package_index import wheel_of

from stemset.catalogue import _checkpoint, _pypi
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.spleeter_onnx import array_shapes, build, probe_magnitude, verify
from stemset.errors import ModelCorrupt

Arrays = dict[str, npt.NDArray[np.float32]]


@pytest.fixture(scope="module")
def arrays(entry: ModelEntry, wheel: Path) -> dict[str, Arrays]:
    return {
        stem: _checkpoint.read_arrays(_pypi.read_file(wheel, file), array_shapes())
        for stem, file in wheel_of(entry).checkpoints.items()
    }


@pytest.fixture
def model(installed_cache: Path, entry: ModelEntry) -> Path:
    return installed_cache / entry.name / "model.onnx"


@pytest.fixture
def session(model: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def masks(
    session: onnxruntime.InferenceSession, magnitude: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    return np.asarray(session.run(["mask"], {"magnitude": magnitude})[0])


def test_array_shapes_are_those_of_the_published_network() -> None:
    shapes = array_shapes()
    assert len(shapes) == 74
    assert sum(prod(shape) for shape in shapes.values()) == 9_826_759


def test_graph_has_the_interface_that_the_engine_expects(
    session: onnxruntime.InferenceSession,
) -> None:
    (given,), (computed,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == (
        "magnitude", "tensor(float)", ["batch", 2, 512, 1024],
    )  # fmt: skip
    assert (computed.name, computed.type, computed.shape) == (
        "mask", "tensor(float)", ["batch", 2, 512, 1024],
    )  # fmt: skip


def test_build_same_arrays_gives_the_installed_bytes(
    arrays: dict[str, Arrays], model: Path
) -> None:
    assert build(**arrays).SerializeToString(deterministic=True) == model.read_bytes()


def test_mask_of_a_batch_is_that_of_each_alone_and_half_in_silence(
    session: onnxruntime.InferenceSession,
) -> None:
    probe = probe_magnitude()
    mask = masks(session, np.concatenate([np.zeros_like(probe), probe]))
    assert mask.shape == (2, 2, 512, 1024)
    assert (mask[0] == 0.5).all()
    assert np.abs(mask[1] - masks(session, probe)[0]).max() < 1e-5
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_verify_graph_with_exchanged_stems_is_refused(
    arrays: dict[str, Arrays], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    exchanged = build(arrays["accompaniment"], arrays["vocals"])
    path.write_bytes(exchanged.SerializeToString())
    with pytest.raises(ModelCorrupt, match="computes a mask that is off by"):
        verify(path)


def test_verify_graph_without_the_eps_of_one_norm_is_refused(
    arrays: dict[str, Arrays], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    variance = arrays["vocals"]["up6.3.running_var"] - np.float32(1e-3)
    changed = {**arrays["vocals"], "up6.3.running_var": variance}
    path.write_bytes(build(changed, arrays["accompaniment"]).SerializeToString())
    with pytest.raises(ModelCorrupt, match="computes a mask that is off by"):
        verify(path)


@pytest.mark.parametrize("kept", [0, 1000])
def test_verify_broken_file_is_refused(model: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.read_bytes()[:kept])
    with pytest.raises(ModelCorrupt, match="cannot run the network"):
        verify(path)
