"""The page of this checkout, built as `make` builds it."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
BUILT = ROOT / "src" / "stemset" / "_web"
_WITHIN_S = 600


def build_page() -> Path:
    """Build it if it has changed; installs Node and its packages if need be. Gives its folder."""
    done = subprocess.run(
        [ROOT / "scripts" / "setup", "web"],
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return BUILT


def npm(*arguments: str) -> str:
    """Run npm in web/ with the project's own Node. Returns what it prints; fails if it does."""
    done = subprocess.run(
        [ROOT / "scripts" / "npm", *arguments],
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
