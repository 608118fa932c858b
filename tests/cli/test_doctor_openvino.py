"""What `stemset doctor` says of the models that a faster runtime would help."""

import json
from pathlib import Path

import pytest

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find
from stemset.cli.doctor import run_doctor
from stemset.separation.networks import libraries


@pytest.mark.parametrize("is_installed", [True, False])
def test_doctor_says_which_models_openvino_would_make_faster(
    is_installed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for model in ("htdemucs", "kuielab_b_drums"):
        install_stand_in(find(model), tmp_path)
    monkeypatch.setenv("STEMSET_MODEL_DIR", str(tmp_path))
    monkeypatch.setattr(
        libraries, "find_spec", lambda name: None if name == "openvino" and not is_installed else 1
    )

    run_doctor(None, as_json=True)

    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["gpu"]["ok"]
    hint = "htdemucs two to four times as fast with: pip install openvino"
    assert checks["gpu"]["detail"].endswith(hint) != is_installed
    assert ("openvino" in checks["gpu"]["detail"]) != is_installed
