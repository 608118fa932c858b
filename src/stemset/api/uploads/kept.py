"""Uploads that ended with a recording: each is counted, and logged with its ids, once."""

from stemset.api import metrics
from stemset.jobs.uploads import Upload
from stemset.telemetry import get_logger

_log = get_logger("api")


def note_kept(upload: Upload) -> None:
    """Note that an upload is complete, its recording being in the store and the ledger."""
    metrics.UPLOADS_COMPLETED.labels(upload.method).inc()
    metrics.UPLOADED_BYTES.labels(upload.method).inc(upload.size_bytes)
    _log.info(
        "Upload kept",
        upload_id=upload.id,
        method=upload.method,
        filename=upload.filename,
        bytes=upload.size_bytes,
        sha256=upload.sha256,
        key=upload.input_key,
    )
