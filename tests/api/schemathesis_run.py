"""Runs schemathesis against a service: made-up calls, with every check that it has.

``STEMSET_TEST_EXAMPLES=100`` makes so many examples of each operation, and
``STEMSET_TEST_SEED=4711`` others than ``make test``, which always makes the same ones.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz_checks import ACCEPTED_STATUSES

CHECKS = Path(__file__).with_name("fuzz_checks.py")
ANSWERED = "STEMSET_TEST_ANSWERED"
"""Names the file in which the hooks note each call: what was called, and the status."""

_PROGRAM = Path(sys.executable).with_name("schemathesis")
_EXAMPLES = int(os.environ.get("STEMSET_TEST_EXAMPLES", "0"))
_SEED = os.environ.get("STEMSET_TEST_SEED", "")
_CONFIG = """
hooks = {hooks}
continue-on-failure = true
request-timeout = 20
warnings = false
{more}
[generation]
max-examples = {examples}
deterministic = {deterministic}
allow-x00 = false  # of which there are tests of their own
[checks]
positive_data_acceptance.expected-statuses = {accepted}
"""


@dataclass(frozen=True)
class Ran:
    """What came of a run.

    Attributes:
        status: Of the program; 0 if every check held.
        output: What it printed.
        answered: How often each call was answered so: operation and status.
    """

    status: int
    output: str
    answered: Counter[tuple[str, int]]

    def statuses(self, operation: str) -> set[int]:
        """What an operation was answered with."""
        return {status for called, status in self.answered if called == operation}


def run_schemathesis(
    folder: Path,
    document: str,
    *arguments: str,
    examples: int,
    within_s: float,
    hooks: Path = CHECKS,
    config: str = "",
    tables: str = "",
    environ: Mapping[str, str] | None = None,
    excluded: Sequence[str] = (),
) -> Ran:
    """Run it to its end.

    Args:
        folder: Where its configuration is written, and what it notes.
        document: Address of the document.
        arguments: More of its command.
        examples: Of each operation, unless the environment names another number.
        within_s: How long so many may take.
        hooks: Checks and hooks of ours.
        config: More lines of its configuration.
        tables: More tables of it.
        environ: More of its environment.
        excluded: Operations that are not called.
    """
    answered = folder / "answered.jsonl"
    answered.touch()
    factor = max(1.0, _EXAMPLES / examples)
    written = _CONFIG.format(
        hooks=json.dumps(str(hooks)),
        more=config,
        examples=_EXAMPLES or examples,
        deterministic=json.dumps(not _SEED),
        accepted=json.dumps(ACCEPTED_STATUSES),
    )
    (folder / "schemathesis.toml").write_text(written + tables)
    ran = subprocess.run(
        [
            *(_PROGRAM, "run", document, "--no-color", "--checks", "all"),
            *(("--seed", _SEED) if _SEED else ()),
            *(part for name in excluded for part in ("--exclude-operation-id", name)),
            *arguments,
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONWARNINGS": "default",
            ANSWERED: str(answered),
            **(environ or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within_s * factor,
        check=False,
    )
    calls = [json.loads(line) for line in answered.read_text().splitlines()]
    return Ran(ran.returncode, ran.stdout, Counter((name, status) for name, status in calls))
