"""``stemset split``: recordings into stems, with no configuration at all."""

import os
import sys
from pathlib import Path

from stemset.audio.decode import DecodeLimits
from stemset.audio.formats import Depth, OutputFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import find_strategy
from stemset.cli.batch import Batch, recordings, run_batch
from stemset.cli.exit_codes import ExitCode
from stemset.cli.offer import offer
from stemset.cli.report import make_report
from stemset.config import max_duration_s


def run_split(
    files: list[Path],
    *,
    output: Path,
    strategy: str,
    output_format: OutputFormat,
    bitrate: int | None,
    depth: Depth | None,
    original_manner: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Split files and the recordings of folders. Returns the exit code."""
    batch = Batch(
        root=output,
        strategy_name=strategy,
        strategy=find_strategy(strategy),
        choice=OutputChoice(output_format, bitrate, depth),
        limits=DecodeLimits(max_duration_s=max_duration_s(os.environ)),
        original_manner=original_manner,
        force=force,
        dry_run=dry_run,
    )
    code = run_batch(batch, recordings(files), make_report(as_json=as_json, dry_run=dry_run))
    if code is ExitCode.OK and not as_json and sys.stderr.isatty() and (tip := offer(strategy)):
        sys.stderr.write(tip + "\n")
    return code
