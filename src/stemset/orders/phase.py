"""What an attempt is doing, in the order in which it does it."""

from enum import StrEnum


class Phase(StrEnum):
    """What is being done. ``waking`` is the caller's own: no worker reports it."""

    WAKING = "waking"
    LOADING = "loading"
    DOWNLOADING = "downloading"
    SEPARATING = "separating"
    ENCODING = "encoding"
    UPLOADING = "uploading"
