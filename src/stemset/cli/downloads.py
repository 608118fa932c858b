"""Where an output's files are while they are fetched: beside its place, hidden."""

import shutil
from pathlib import Path


def download_folder(output: Path) -> Path:
    """The folder that an unfinished download of this output is kept in."""
    return output.with_name(f".{output.name}.download")


def clear_download(output: Path) -> None:
    """Remove what is left of a download, once the output stands."""
    shutil.rmtree(download_folder(output), ignore_errors=True)
