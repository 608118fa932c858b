"""What a failure means: whether all other recordings would meet it too, and what to check."""

from stemset.errors import (
    ClockSkewed,
    ModelError,
    NoSpace,
    OutputUnwritable,
    RemoteError,
    SignatureInvalid,
    StemsetError,
    StorageRefused,
    StorageUnavailable,
    UnsupportedVersion,
    WorkerBusy,
    WorkerFailed,
    WorkerUnreachable,
)
from stemset.storage.settings import StoreSettings

_ENDS_THE_BATCH = (
    ClockSkewed,
    ModelError,
    NoSpace,
    OutputUnwritable,
    RemoteError,
    SignatureInvalid,
    StorageRefused,
    StorageUnavailable,
    UnsupportedVersion,
)

_ADVICE: dict[type[StemsetError], str] = {
    ClockSkewed: "Set both clocks (NTP).",
    SignatureInvalid: "STEMSET_WORKER_SECRET must be the same here and on the worker.",
    StorageRefused: "The keys must be allowed to read and write the bucket {bucket} at {endpoint}.",
    StorageUnavailable: (
        "Check the network and the bucket's address {endpoint} (R2_ACCOUNT_ID or "
        "STEMSET_S3_ENDPOINT)."
    ),
    WorkerBusy: "Run the same command again later.",
    WorkerUnreachable: (
        "Is a worker deployed at {url} (gpu_worker_url or GPU_WORKER_URL), and what does it log?"
    ),
}


def ends_the_batch(error: StemsetError) -> bool:
    """Whether every other recording would fail in the same way."""
    return isinstance(error, _ENDS_THE_BATCH) and not isinstance(error, WorkerFailed)


def spares_what_stands(error: StemsetError) -> bool:
    """Whether stems that stand in the bucket can be fetched in spite of this."""
    return not isinstance(error, (NoSpace, OutputUnwritable, StorageRefused, StorageUnavailable))


def advised(error: StemsetError, url: str, bucket: StoreSettings) -> StemsetError:
    """The error, with what to check in its message."""
    advice = _ADVICE.get(type(error), "").format(
        url=url, bucket=bucket.bucket, endpoint=bucket.endpoint
    )
    text = str(error)
    return error if not advice or advice in text else type(error)(f"{text} {advice}")
