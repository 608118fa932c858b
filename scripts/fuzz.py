"""Give damaged recordings to decoder processes, and made-up bytes to each of our parsers.

The environment says how much: ``COUNT`` of recordings (10,000), ``SECONDS`` for each parser (60),
``SEED`` of what is done (a random one). With ``KEEP=1`` inputs that led anywhere new are added to
``tests/fuzz/corpus``. What became of it all is printed; the exit status is 1 if anything came of
it but a result or an error of ours, and what led there is in the folder that is named.
"""

import os
import random
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

_TESTS = Path(__file__).parents[1] / "tests"
_FUZZER = _TESTS / "fuzz" / "guided.py"
_HANG_S, _MEMORY_MB, _LONGEST_BYTES = 10, 1024, 2048


def main() -> int:
    """Run it. Returns the exit status."""
    for folder in ("fuzz", "audio"):
        sys.path.insert(0, str(_TESTS / folder))
    from mutated_audio import run  # noqa: PLC0415 - found only now

    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    count = int(os.environ.get("COUNT") or 10_000)
    seconds = int(os.environ.get("SECONDS") or 60)
    _tell(f"seed {seed}")
    account = run(seed, count, _tell)
    _tell(str(account))
    is_sound = _fuzz_parsers(seed, seconds) if seconds else True
    return 0 if is_sound and not account.faults else 1


def _fuzz_parsers(seed: int, seconds: int) -> bool:
    """Fuzz one parser after the other. Returns whether all of them held."""
    if find_spec("atheris") is None:
        _tell("parsers: left out, for there is no atheris for this machine")
        return True
    from parsers import PARSERS  # noqa: PLC0415 - found only now

    results = Path(tempfile.mkdtemp(prefix="stemset-fuzz-"))
    held = [_fuzz(name, seed, seconds, results / name) for name in PARSERS]
    return all(held)


def _fuzz(name: str, seed: int, seconds: int, folder: Path) -> bool:
    """Fuzz one parser; its folder has what it found. Returns whether it held."""
    found, kept = folder / "found", _TESTS / "fuzz" / "corpus" / name
    found.mkdir(parents=True)
    options = (f"-seed={seed}", f"-max_total_time={seconds}", f"-timeout={_HANG_S}")
    limits = (f"-rss_limit_mb={_MEMORY_MB}", f"-max_len={_LONGEST_BYTES}")
    with (folder / "log").open("wb") as log:
        command = [sys.executable, _FUZZER, name, found, kept, *options, *limits]
        status = subprocess.run(command, cwd=folder, stderr=log, stdout=log, check=False).returncode
        if os.environ.get("KEEP") and not status:
            merge = [sys.executable, _FUZZER, name, "-merge=1", kept, found]
            subprocess.run(merge, cwd=folder, stderr=log, stdout=log, check=False)
    count = len(list(found.iterdir()))
    _tell(f"{name}: {count} new inputs" if not status else f"BROKEN: {name}, see {folder}")
    return not status


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
