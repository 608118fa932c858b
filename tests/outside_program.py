"""Programs of others that judge our files (`scripts/tool`)."""

import shutil
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[1] / "scripts" / "tool"


def outside_program(name: str) -> str:
    """Find a program, fetched if need be; skips only where there are no packages of Debian."""
    found = subprocess.run([_SCRIPT, name], capture_output=True, text=True, check=False)
    if found.returncode != 0 and shutil.which("apt-get") is None:
        pytest.skip(found.stderr.strip())
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()
