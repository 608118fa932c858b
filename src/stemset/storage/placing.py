"""Putting a finished file of this machine into the store, durable when it is done."""

import secrets
from contextlib import suppress
from pathlib import Path

from stemset.storage._durable import sync_names
from stemset.storage.keys import check_input_key
from stemset.storage.settings import StoreSettings
from stemset.storage.store import OnBytes, Store


def place(
    store: Store,
    settings: StoreSettings,
    path: Path,
    key: str,
    *,
    on_bytes: OnBytes = lambda _: None,
) -> None:
    """Put a file under a recording's key; when it returns, it survives a power cut.

    In a folder on the same file system it becomes the object itself, without being copied: nobody
    may write to it afterwards, at most remove it.

    Args:
        store: The store.
        settings: Which one that is.
        path: The file, written and synchronised.
        key: Where it is to lie.
        on_bytes: Called as bytes are moved.

    Raises:
        InvalidKey: The key is no recording's.
        InputUnreadable: The file cannot be read.
        StorageError, NoSpace: As ``Store.upload``.
    """
    check_input_key(key)
    if settings.kind != "folder":
        store.upload(path, key, on_bytes=on_bytes)
        return
    target = Path(settings.bucket) / key
    if _link(path, target):
        sync_names(Path(settings.bucket), key)
    else:
        store.upload(path, key, on_bytes=on_bytes)


def _link(path: Path, target: Path) -> bool:
    """Make a file known under a second name; returns whether that can be done."""
    # obstore overlooks names that end like this, as those of its own half-written files.
    other = target.with_name(f"{target.name}#{secrets.randbelow(10**12)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        other.hardlink_to(path)
        other.replace(target)
    except OSError:
        return False
    finally:
        with suppress(OSError):  # it is still there if the target was the same file already
            other.unlink(missing_ok=True)
    return True
