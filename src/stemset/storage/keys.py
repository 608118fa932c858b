"""Keys: made here and nowhere else, from validated names and ids.

```text
inputs/<profile>/<filename>                               a recording
claims/<profile>/<filename>                               whose content has that name
outputs/<profile>/<output_name>/metadata.json             the winning attempt's metadata
outputs/<profile>/<output_name>/<attempt>/claim.json      the attempt was begun
outputs/<profile>/<output_name>/<attempt>/<file>          its files
outputs/<profile>/<output_name>/<attempt>/manifest.json   the attempt is whole
```

An attempt's folder is ``<first 8 of job_id>-<number>``: two jobs that want one output name, or one
recording with a changed strategy, never share a folder.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

from stemset.errors import InvalidKey

CLAIM = "claim.json"
MANIFEST = "manifest.json"
METADATA = "metadata.json"
SHORT_SHA256 = 8
"""Digits of a recording's hash in its output's name, if no other recording has them."""

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OUTPUT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,159}")
_JOB_DIGITS = 8
_SLUG_LENGTH = 60
_ATTEMPT = re.compile(r"[A-Za-z0-9_-]{1,8}-[1-9][0-9]{0,5}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,159}")
_MAX_FILENAME_BYTES = 200
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class AttemptFolder:
    """An attempt's own folder.

    Attributes:
        profile: Name of the profile.
        output_name: Name of the output.
        name: The folder's name below the output's.
    """

    profile: str
    output_name: str
    name: str

    @property
    def prefix(self) -> str:
        """The folder's key, without a closing slash."""
        return f"{output_prefix(self.profile, self.output_name)}/{self.name}"

    @property
    def number(self) -> int:
        """The attempt's number."""
        return int(self.name.rpartition("-")[2])

    def key(self, file: str) -> str:
        """The key of one of its files. Raises InvalidKey."""
        return f"{self.prefix}/{file_name(file)}"


def file_name(name: str) -> str:
    """The name itself, if an attempt's file can have it. Raises InvalidKey."""
    return _checked(_FILE, name, "file")


def input_key(profile: str, filename: str) -> str:
    """The key of a recording. Raises InvalidKey if ``filename`` is not as ``safe_filename``."""
    return f"inputs/{_checked(_PROFILE, profile, 'profile')}/{_checked_filename(filename)}"


def claim_key(profile: str, filename: str) -> str:
    """The key of the note that says whose content a recording's key has."""
    return f"claims/{_checked(_PROFILE, profile, 'profile')}/{_checked_filename(filename)}"


def safe_filename(name: str, sha256: str) -> str:
    """The name itself where it can be a key, else one made from the recording's hash."""
    plain = unicodedata.normalize("NFC", name)
    return plain if _is_filename(plain) else hashed_filename(name, sha256)


def hashed_filename(name: str, sha256: str) -> str:
    """A name made from the recording's hash, for a name that is taken or cannot be a key."""
    suffix = _SUFFIX.fullmatch("." + name.rpartition(".")[2])
    return f"{sha256}{suffix[0].lower() if suffix and '.' in name else ''}"


def slug(name: str) -> str:
    """Make a file name's stem safe for folders, keys and addresses: ``a-z``, ``0-9``, ``-``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_LENGTH].strip("-") or "recording"


def output_name(filename: str, sha256: str, digits: int = SHORT_SHA256) -> str:
    """Name a recording's output: ``<slug>_<first digits of sha256>``.

    Args:
        filename: The recording's file name.
        sha256: Hash of its bytes.
        digits: How much of the hash; more if another recording has the shorter name.
    """
    return f"{slug(PurePosixPath(filename).stem)}_{sha256[:digits]}"


def output_prefix(profile: str, output_name: str) -> str:
    """The key of an output's folder, without a closing slash. Raises InvalidKey."""
    return (
        f"outputs/{_checked(_PROFILE, profile, 'profile')}"
        f"/{_checked(_OUTPUT_NAME, output_name, 'output')}"
    )


def metadata_key(profile: str, output_name: str) -> str:
    """The key of an output's metadata."""
    return f"{output_prefix(profile, output_name)}/{METADATA}"


def attempt_folder(profile: str, output_name: str, job_id: str, attempt: int) -> AttemptFolder:
    """The folder of an attempt. Raises InvalidKey."""
    name = f"{job_id[:_JOB_DIGITS]}-{attempt}"
    output_prefix(profile, output_name)
    return AttemptFolder(profile, output_name, _checked(_ATTEMPT, name, "attempt"))


def parse_attempt_folder(prefix: str) -> AttemptFolder:
    """Read an attempt folder's key, from an order or a listing. Raises InvalidKey."""
    match prefix.split("/"):
        case ["outputs", profile, output_name, name]:
            output_prefix(profile, output_name)
            return AttemptFolder(profile, output_name, _checked(_ATTEMPT, name, "attempt"))
        case _:
            raise InvalidKey(f"{prefix!r} is no attempt's folder.")


def check_input_key(key: str) -> str:
    """Return the key if it is a recording's. Raises InvalidKey."""
    match key.split("/"):
        case ["inputs", profile, filename]:
            return input_key(profile, filename)
        case _:
            raise InvalidKey(f"{key!r} is no recording's key.")


def _checked(pattern: re.Pattern[str], name: str, what: str) -> str:
    if not pattern.fullmatch(name) or ".." in name:
        raise InvalidKey(f"{name!r} is no legal name of a {what}.")
    return name


def _checked_filename(name: str) -> str:
    if not _is_filename(name):
        raise InvalidKey(f"{name!r} is no legal name of a recording.")
    return name


def _is_filename(name: str) -> bool:
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= _MAX_FILENAME_BYTES
        and name.isprintable()
        and not name.startswith((".", " "))
        and not name.endswith((".", " "))
        and not set(name) & set('/\\%#?*:|"<>')
        and unicodedata.is_normalized("NFC", name)
    )
