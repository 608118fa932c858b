"""The store of a service: its bucket, or a folder of its own."""

from pathlib import Path

from stemset.audio.files import sync_folder
from stemset.storage.settings import DEFAULT_RETRY_S, StoreSettings


def service_store(bucket: StoreSettings | None, data: Path) -> StoreSettings:
    """The bucket that is configured, or the folder ``store`` in the data folder, made if need be.

    Args:
        bucket: The bucket, None if none is configured.
        data: The service's data folder.
    """
    if bucket is not None:
        return bucket
    folder = data / "store"
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(data)
    return StoreSettings(kind="folder", bucket=str(folder), retry_s=DEFAULT_RETRY_S)
