"""``stemset verify``: is an output what its metadata says?"""

import json
import sys
from pathlib import Path

from stemset.cli.exit_codes import ExitCode
from stemset.pipeline.verify import Verification, verify_output


def run_verify(output: Path, original: Path | None, *, as_json: bool) -> int:
    """Check an output and print what was found. Returns the exit code."""
    found = verify_output(output, original)
    lines = [json.dumps(_as_json(found))] if as_json else _in_words(found)
    sys.stdout.write("\n".join(lines) + "\n")
    return ExitCode.FAILURE if found.problems else ExitCode.OK


def _as_json(found: Verification) -> dict[str, object]:
    error = found.sum_error
    return {
        "schema_version": 1,
        "output": str(found.folder),
        "files": found.files,
        "problems": list(found.problems),
        "gain_db": found.gain_db,
        "sum_to_mix": error
        and {"exact": error.exact, "error_db": error.db, "largest_error": error.largest},
    }


def _in_words(found: Verification) -> list[str]:
    if found.problems:
        return [f"{found.folder}: {len(found.problems)} problems", *map(_indented, found.problems)]
    lines = [f"{found.folder}: {found.files} files are as they were written."]
    if error := found.sum_error:
        gain = f" (at {found.gain_db:.2f} dB)" if found.gain_db else ""
        far = "exactly" if error.exact else f"within {error.db or 0:.1f} dB"
        lines.append(f"  The stems, as decoded, add up to the original{gain} {far}.")
    return lines


def _indented(problem: str) -> str:
    return f"  {problem}"
