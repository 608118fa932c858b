"""What computes a network is one of two, where both know it."""

import pytest

from stemset.separation import networks

# Before a test imports OpenVINO itself: it is to find its reporter missing.
from stemset.separation.networks import _openvino  # noqa: F401

PYTORCH = "PyTorch"
OPENVINO = "OpenVINO"


@pytest.fixture
def pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch computes, whatever else is installed."""
    monkeypatch.setattr(networks, "computed_by_openvino", lambda _: False)


@pytest.fixture(params=[PYTORCH, OPENVINO])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two in turn, whatever this machine would choose."""
    monkeypatch.setattr(networks, "computed_by_openvino", lambda _: request.param == OPENVINO)
    return request.param
