"""Orders and reports that say what they must; what is in them does not matter here."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from stemset.orders.messages import Order, Report, parse_order, parse_report

DIGEST = "0" * 64


def an_order(
    play: str = "ok", *, job_id: str = "job", attempt: int = 1, within_s: float = 60
) -> Order:
    """An order; ``play`` tells ``fake_computing`` what to do."""
    facts = {
        "job_id": job_id,
        "attempt": attempt,
        "profile_name": "h4n",
        "output_name": "take_00000000",
        "strategy_name": play,
        "strategy": {"_": "fake"},
        "fingerprint": DIGEST,
        "input": {"key": "inputs/h4n/take.wav", "name": "take.wav", "sha256": DIGEST, "bytes": 1},
        "output": {"prefix": "outputs/h4n/take_00000000/job-1", "format": "flac"},
        "deadline": (datetime.now(UTC) + timedelta(seconds=within_s)).isoformat(),
    }
    return parse_order(json.dumps(facts))


def a_report(seq: int, status: str = "progress", **facts: Any) -> Report:
    """A report of that order's first attempt."""
    return parse_report(
        json.dumps({"job_id": "job", "attempt": 1, "seq": seq, "status": status, **facts})
    )
