"""What an exported file is called: ``practice – without vocals, speed 0.8.mp3``."""

from collections.abc import Collection

from stemset.api.media.names import file_name
from stemset.audio.mix import Mix

_NAMED_AT_MOST = 3


def export_name(recording_name: str, stems: Collection[str], mix: Mix, suffix: str) -> str:
    """Name a file after what is heard in it.

    Args:
        recording_name: What people call the recording.
        stems: All stems that there are.
        mix: What is heard.
        suffix: The file's ending, with the dot.
    """
    said = [_heard(stems, mix)]
    if mix.start_s or mix.end_s is not None:
        end = "the end" if mix.end_s is None else _clock(mix.end_s)
        said.append(f"{_clock(mix.start_s)} to {end}")
    if mix.speed != 1:
        said.append(f"speed {mix.speed:g}")
    if mix.semitones:
        said.append(f"pitch {mix.semitones:+g}")
    return f"{file_name(recording_name)} – {file_name(', '.join(said))}{suffix}"


def _heard(stems: Collection[str], mix: Mix) -> str:
    heard = [name for name in stems if name in mix.stems]
    silent = [name for name in stems if name not in mix.stems]
    if not silent:
        return "mix"
    if len(silent) < len(heard) or len(heard) > _NAMED_AT_MOST:
        return f"without {_and(silent)}"
    return f"only {_and(heard)}"


def _and(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _clock(seconds: float) -> str:
    """``2m05s``; a colon is no part of a name on every system."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{rest:02}s" if hours else f"{minutes}m{rest:02}s"
