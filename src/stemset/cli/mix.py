"""``stemset mix``: stems of an output on disk, mixed to one file."""

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from stemset.audio.files import writing
from stemset.audio.formats import Depth, OutputFormat
from stemset.audio.mix import Mix, StemLevel
from stemset.audio.mixdown import Mixdown, OnProgress, mix_down
from stemset.audio.mixdown_order import FileChoice
from stemset.cli.bars import Bars, clock
from stemset.cli.exit_codes import ExitCode
from stemset.cli.progress import Phase, RemoteProgress
from stemset.errors import InvalidMix, OutputExists, OutputNotFound, UnsupportedFormat
from stemset.pipeline.output import METADATA_NAME, read_metadata

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):(?=[0-5]?\d\b))?(\d+(?:\.\d*)?)")
_SUFFIXES = {each.suffix: each for each in OutputFormat}


def run_mix(
    output: Path,
    target: Path,
    *,
    only: Sequence[str],
    mute: Sequence[str],
    gains: Sequence[str],
    pans: Sequence[str],
    master_db: float,
    start: str | None,
    end: str | None,
    speed: float,
    semitones: float,
    bitrate: int | None,
    depth: Depth | None,
    force: bool,
    as_json: bool,
) -> int:
    """Mix an output's stems to a file and print what was made. Returns the exit code."""
    metadata = read_metadata(output)
    if metadata is None:
        raise OutputNotFound(f"{output} holds no output: there is no {METADATA_NAME} to read.")
    stems = {name: output / stem["stem_url"] for name, stem in metadata["stems"].items()}
    mix = Mix(
        stems=_levels(stems, only, mute, gains, pans),
        master_db=master_db,
        start_s=0.0 if start is None else _seconds(start),
        end_s=None if end is None else _seconds(end),
        speed=speed,
        semitones=semitones,
    )
    mix.check_against(stems, metadata["recording"]["duration_s"])
    choice = FileChoice(_format(target), bitrate, depth)
    if target.exists() and not force:
        raise OutputExists(f"{target} exists; --force replaces it.")
    tags = metadata["recording"]["tags"]
    with _progress(target.name, hidden=as_json) as on_progress:
        made = _made(mix, stems, target, choice, tags=tags, on_progress=on_progress)
    sys.stdout.write("\n".join([json.dumps(_as_json(made))] if as_json else _in_words(made)) + "\n")
    return ExitCode.OK


def _levels(
    stems: Mapping[str, Path],
    only: Sequence[str],
    mute: Sequence[str],
    gains: Sequence[str],
    pans: Sequence[str],
) -> dict[str, StemLevel]:
    """How each stem that is heard is heard. Raises InvalidMix."""
    levels = {name: StemLevel() for name in stems}
    for name, gain_db in _assigned(gains, levels):
        levels[name] = replace(levels[name], gain_db=gain_db)
    for name, pan in _assigned(pans, levels):
        levels[name] = replace(levels[name], pan=pan)
    for name in (*only, *mute):
        _check_stem(name, levels)
    return {
        name: level
        for name, level in levels.items()
        if name not in mute and (not only or name in only)
    }


def _assigned(texts: Sequence[str], stems: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Read ``drums=-3``."""
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError as error:
            raise InvalidMix(f"{text!r} is no stem and number, as in drums=-3.") from error
        _check_stem(name, stems)
        yield name, number


def _check_stem(name: str, stems: Mapping[str, Any]) -> None:
    if name not in stems:
        raise InvalidMix(f"There is no stem {name!r}; there are {', '.join(sorted(stems))}.")


def _seconds(text: str) -> float:
    """Read ``90``, ``1:30`` or ``1:02:03.5``."""
    read = _CLOCK.fullmatch(text)
    if read is None:
        raise InvalidMix(f"{text!r} is no time, as in 90, 1:30 or 1:02:03.5.")
    hours, minutes, seconds = (float(each or 0) for each in read.groups())
    return 3600 * hours + 60 * minutes + seconds


def _format(target: Path) -> OutputFormat:
    """The format that a file's name asks for."""
    suffix = target.suffix.lower()
    if suffix not in _SUFFIXES:
        raise UnsupportedFormat(
            f"{target.name} ends in no format that is written: {', '.join(_SUFFIXES)}."
        )
    return _SUFFIXES[suffix]


def _made(
    mix: Mix,
    stems: Mapping[str, Path],
    target: Path,
    choice: FileChoice,
    *,
    tags: Mapping[str, str],
    on_progress: OnProgress,
) -> Mixdown:
    """Make the file beside its place, and move it there whole."""
    made = mix_down(
        mix,
        stems,
        target.with_name(f".{target.stem}.part"),
        choice,
        tags=tags,
        on_progress=on_progress,
    )
    with writing(target):
        made.path.replace(target)
    return replace(made, path=target)


@contextmanager
def _progress(name: str, *, hidden: bool) -> Iterator[OnProgress]:
    """A bar on a terminal, elsewhere nothing."""
    if hidden or not sys.stderr.isatty():
        yield lambda _: None
        return
    began_s = time.monotonic()
    with Bars().bar(name) as show:

        def tell(fraction: float) -> None:
            left_s = (time.monotonic() - began_s) * (1 - fraction) / fraction
            show(RemoteProgress(Phase.ENCODING, fraction, left_s))

        yield tell


def _as_json(made: Mixdown) -> dict[str, object]:
    return {
        "schema_version": 1,
        "file": str(made.path),
        "frames": made.frames,
        "rate_hz": made.rate_hz,
        "lowered_db": made.lowered_db,
        "notes": list(made.notes),
    }


def _in_words(made: Mixdown) -> list[str]:
    lines = [f"{made.path}: {clock(made.frames / made.rate_hz)} of audio"]
    if made.lowered_db:
        lines.append(
            f"  note: the mix is louder than the file can hold: lowered by {made.lowered_db:.1f} dB"
        )
    return lines + [f"  note: {each}" for each in made.notes]
