"""Orders as a coordinator makes them, for a recording that stands in a store."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import find_strategy
from stemset.orders.messages import Order
from stemset.storage.keys import attempt_folder, input_key
from stemset.storage.store import Store

STRATEGY = "spleeter-2stems"
JOB_ID = "0123456789abcdef"


def order_of(recording: Path, *, attempt: int = 1, **changes: Any) -> Order:
    """An order to split a recording into FLAC files."""
    strategy = find_strategy(STRATEGY)
    data = recording.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    folder = attempt_folder("h4n", f"take_{sha256[:8]}", JOB_ID, attempt)
    facts: dict[str, Any] = {
        "job_id": JOB_ID,
        "attempt": attempt,
        "profile_name": "h4n",
        "output_name": folder.output_name,
        "strategy_name": STRATEGY,
        "strategy": strategy.tree(),
        "fingerprint": fingerprint(strategy, OutputChoice(OutputFormat.FLAC)),
        "input": {
            "key": input_key("h4n", recording.name),
            "name": recording.name,
            "sha256": sha256,
            "bytes": len(data),
        },
        "output": {"prefix": folder.prefix, "format": "flac"},
        "deadline": datetime.now(UTC) + timedelta(minutes=10),
    }
    return Order.model_validate({**facts, **changes})


def put_input(store: Store, recording: Path) -> None:
    """Put a recording where its order says."""
    store.upload(recording, input_key("h4n", recording.name))
