"""Fetch a wheel by name, version and SHA-256, and read files of it. Nothing of it is run.

The download is left to the package tool that is here, so that index, proxy, certificate and
credential settings are the user's own: this interpreter's pip, else uv (an environment made by uv
has no pip), else a pip on the PATH. pip leaves the wheel, uv leaves it unpacked; ``read_file``
takes either, and checks every file that it gives against its own hash.
"""

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stemset.catalogue.entry import PinnedFile, Wheel
from stemset.errors import MissingDependency, ModelCorrupt, ModelDownloadFailed

_POLL_S = 0.2
_STALL_S = 300.0
_KEPT_LINES = 12


def fetch(
    source: Wheel,
    folder: Path,
    *,
    on_bytes: Callable[[int], None] | None = None,
    python: str = sys.executable,
    stall_s: float = _STALL_S,
) -> Path:
    """Fetch a wheel with the package tool that is here.

    Args:
        source: A source of the scheme ``pypi``.
        folder: An empty folder of the caller's; also takes the tool's temporary files.
        on_bytes: Called a few times per second with the number of bytes that arrived so far.
        python: The interpreter whose pip is tried first.
        stall_s: Give up when no byte arrives for so long. The tool has shorter time limits and
            retries of its own.

    Returns:
        Path of the wheel, or of a folder with its files.

    Raises:
        MissingDependency: There is no package tool.
        ModelDownloadFailed: The tool could not fetch the wheel; the message has its last words.
        ModelCorrupt: What came is not the wheel that the catalogue names.
        OSError: The disk is full.
    """
    received, scratch = folder / "received", folder / "tmp"
    received.mkdir()
    scratch.mkdir()
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{source.location} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    command = [
        *_package_tool(python, received),
        *("--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", requirement),
    ]
    with _child(command, folder, scratch) as child:
        output = _watch(child, folder, on_bytes, stall_s)
    if child.returncode != 0:
        raise _failure(source, output, child.returncode)
    wheel = received / source.file_name
    return wheel if wheel.is_file() else received


def check_wheel(wheel: Path, source: Wheel) -> None:
    """Check that a file is the wheel that the catalogue names.

    Raises:
        ModelCorrupt: It is another file.
        OSError: It cannot be read.
    """
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        raise ModelCorrupt(
            f"{wheel} is not {source.file_name} as the catalogue knows it: "
            f"its sha256 is {found}, expected {source.sha256}."
        )


def read_file(package: Path, file: PinnedFile) -> bytes:
    """Read one file of a wheel, or of a folder with a wheel's files.

    Raises:
        ModelCorrupt: The file is missing, damaged, or not the one that the catalogue names.
        OSError: The package cannot be read.
    """
    try:
        unpacked = package.is_dir()
        content = (package / file.path).read_bytes() if unpacked else _unzip(package, file)
    except (FileNotFoundError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ModelCorrupt(f"{file.path} cannot be read from {package}: {error}.") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ModelCorrupt(f"{file.path} in {package} is not the file that the catalogue names.")
    return content


def _package_tool(python: str, received: Path) -> list[str | Path]:
    """Choose the tool, and the arguments that make it put a package into a folder."""
    isolated = (python, "-I")  # no PYTHONPATH, and nothing of the current folder
    has_pip = subprocess.run((*isolated, "-c", "import pip"), capture_output=True, check=False)  # noqa: S603 - fixed words
    if has_pip.returncode == 0:
        return [*isolated, "-m", "pip", "download", "--dest", received]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", python, "--target", received]
    if pip := shutil.which("pip") or shutil.which("pip3"):
        return [pip, "download", "--dest", received]
    raise MissingDependency(
        "Fetching weights needs pip or uv, and neither is here: install one of them "
        f"(for example with `{python} -m ensurepip`, or the system's package python3-pip)."
    )


@contextmanager
def _child(
    command: list[str | Path], folder: Path, scratch: Path
) -> Iterator[subprocess.Popen[str]]:
    """Start the tool; it does not outlive the block, whatever ends it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"}
    }
    environment |= {
        "TMPDIR": str(scratch),  # a killed tool leaves its files where they are swept up
        "NO_COLOR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_REQUIRE_VIRTUALENV": "0",  # nothing is installed
        # A cache would keep bytes that are needed once, and could serve wrong ones again.
        "PIP_NO_CACHE_DIR": "1",
        "UV_NO_CACHE": "1",
        "UV_NO_PROGRESS": "1",
    }
    with subprocess.Popen(  # noqa: S603 - a list of words from the catalogue, and no shell
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _watch(
    child: subprocess.Popen[str],
    folder: Path,
    on_bytes: Callable[[int], None] | None,
    stall_s: float,
) -> str:
    """Wait for the tool while reporting what has arrived, and return what it printed."""
    arrived, last_arrival = 0, time.monotonic()
    while True:
        try:
            return child.communicate(timeout=_POLL_S)[0]
        except subprocess.TimeoutExpired:
            pass
        now, size = time.monotonic(), _size_bytes(folder)
        if size != arrived:
            arrived, last_arrival = size, now
            if on_bytes:
                on_bytes(arrived)
        elif now - last_arrival > stall_s:
            raise ModelDownloadFailed(
                f"The download stood still for {stall_s:g} s after {arrived:,} bytes. Try again."
            )


def _size_bytes(folder: Path) -> int:
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += Path(parent, name).stat().st_size
            except FileNotFoundError:  # temporary files come and go
                continue
    return size


def _failure(source: Wheel, output: str, status: int) -> Exception:
    """Make the error that the tool's last words mean."""
    if re.search(r"(errno|os error) 28\b", output, re.IGNORECASE):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if re.search(r"hash mismatch|do not match the hashes", output, re.IGNORECASE):
        return ModelCorrupt(
            f"What arrived is not {source.file_name} as the catalogue knows it (sha256 "
            f"{source.sha256}). Either the download broke off, then try again, or the package "
            "index serves another file under this name."
        )
    last_words = "\n".join(f"  {line}" for line in output.splitlines()[-_KEPT_LINES:])
    return ModelDownloadFailed(
        f"{source.location} could not be fetched (the package tool ended with {status}). Check "
        "the network and the package index in pip's or uv's settings. For a machine without "
        f"network, run `pip download --no-deps {source.location}` on another one and install "
        f"from the file {source.file_name} with --wheel. The tool's last words:\n{last_words}"
    )


def _unzip(wheel: Path, file: PinnedFile) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        entry = archive.getinfo(file.path)
        if entry.file_size != file.size_bytes:
            raise zipfile.BadZipFile(f"{entry.file_size:,} bytes instead of {file.size_bytes:,}")
        return archive.read(entry)
