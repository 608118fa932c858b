"""A process that is started as its image starts it, with the environment that a file gives it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dockerfile import Target

_END_WITHIN_S = 20.0


@contextmanager
def started(target: Target, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run a target's command on this machine; gives where it listens, and sees it end well.

    It listens on loopback and on a free port: there nobody needs a token.
    """
    command = [each for each in target.command if each not in {"--host", "0.0.0.0"}]  # noqa: S104
    with subprocess.Popen(
        [sys.executable, "-m", "stemset", *command, "--port", "0"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said.startswith("{"), said
            yield json.loads(said)["url"]
        finally:
            process.terminate()
            process.communicate(timeout=_END_WITHIN_S)
    assert process.returncode == 0
