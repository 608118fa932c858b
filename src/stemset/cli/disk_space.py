"""How much of a disk must be free."""

from stemset.errors import NoSpace

NEEDED_BYTES = 256 * 10**6
"""A song of four minutes at CD quality is 42 MB, and so is each of its four stems: 212 MB."""

_LITTLE_BYTES = 10**9


def free_in_words(free_bytes: int, where: str) -> str:
    """Say what is free.

    Args:
        free_bytes: What is free.
        where: The folder, for the message.

    Raises:
        NoSpace: It is too little for a song.
    """
    if free_bytes < NEEDED_BYTES:
        raise NoSpace(
            f"{free_bytes / 1e6:.0f} MB are free in {where}; a song and its stems need "
            f"{NEEDED_BYTES / 1e6:.0f} MB."
        )
    note = ", which is little for hours of audio" if free_bytes < _LITTLE_BYTES else ""
    return f"{free_bytes / 1e9:.1f} GB free in {where}{note}"
