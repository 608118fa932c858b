"""Which store, and how to reach it: one value, made from the environment by ``config``."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

DEFAULT_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """A bucket, a local folder, or memory.

    Attributes:
        kind: What it is.
        bucket: Name of the bucket; for a folder, its absolute path.
        endpoint: Address of the S3 server.
        region: Its region; R2's is ``auto``.
        access_key_id: Name of the key.
        secret_access_key: The key.
        retry_s: How long a call is tried again while the store does not answer.
    """

    kind: Literal["s3", "folder", "memory"]
    bucket: str = ""
    endpoint: str = ""
    region: str = "auto"
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    retry_s: float = DEFAULT_RETRY_S

    def as_json(self) -> dict[str, Any]:
        """For the computing process's first line, which nobody else reads."""
        return asdict(self)
