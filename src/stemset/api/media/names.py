"""What downloads are called, and what kind of file a name stands for."""

import unicodedata
from urllib.parse import quote

from stemset.jobs.filenames import shown_name

MAX_BYTES = 150
"""Of a name made from a recording's: file systems take 255, and a stem's name comes behind it."""

_KINDS = {
    "dat": "application/octet-stream",
    "flac": "audio/flac",
    "json": "application/json",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "png": "image/png",
    "wav": "audio/wav",
}
_SYSTEMS_OWN = set('<>:"/\\|?*')  # on Windows; "/" everywhere
_DEVICES = {"CON", "PRN", "AUX", "NUL"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in range(10)
}


def content_type(name: str) -> str:
    """The media type of a stem's file, or of what belongs to it."""
    return _KINDS.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def file_name(text: str) -> str:
    """A text as a file's name that every system takes, without its suffix."""
    plain = "".join("_" if each in _SYSTEMS_OWN else each for each in shown_name(_one_line(text)))
    short = plain.encode()[:MAX_BYTES].decode(errors="ignore").strip(" .") or "recording"
    if short.startswith("-") or short.partition(".")[0].upper() in _DEVICES:
        short = f"_{short}"
    return short


def attachment(name: str) -> str:
    """A ``Content-Disposition`` that saves a file under a name.

    Source: RFC 6266; the second form, of RFC 8187, is for all names that ASCII cannot write.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(
        each if each.isprintable() and each not in '"\\%' else "_" for each in ascii_name
    )
    value = f'attachment; filename="{plain}"'
    return value if plain == name else f"{value}; filename*=UTF-8''{quote(name, safe='')}"


def _one_line(text: str) -> str:
    """Slashes are part of what people call a recording, not of a path."""
    return text.replace("/", "_").replace("\\", "_")
