"""`scripts/image`: what it says where nothing is there that builds images."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", [("size", "any"), ("inspect", "any"), ("clean",)])
def test_image_script_without_an_engine_says_what_to_install(
    tmp_path: Path, command: tuple[str, ...]
):
    for name in ("bash", "env", "dirname", "sed", "mkdir"):
        found = which(name)
        assert found
        (tmp_path / name).symlink_to(found)

    ended = subprocess.run(
        [ROOT / "scripts" / "image", *command],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "needs docker (running), podman or buildah" in ended.stderr
    assert "scripts/image install" in ended.stderr
