"""Which pages a bucket lets in."""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import httpx

from stemset.storage._sigv4 import presign
from stemset.storage.settings import StoreSettings

DOCS = Path(__file__).parents[2] / "docs" / "service.md"


def documented_rules(origin: str) -> bytes:
    """The rules that docs/service.md gives for a bucket, with another origin."""
    _, _, after = DOCS.read_text("utf-8").partition("```xml\n")
    rules, _, _ = after.partition("```")
    assert rules.count("https://stems.example") == 1
    return rules.replace("https://stems.example", origin).encode()


def allow(bucket: StoreSettings, rules: bytes) -> None:
    url = presign(bucket, "PUT", "", {"cors": ""}, expires_s=60, now=datetime.now(UTC))
    digest = base64.b64encode(hashlib.md5(rules, usedforsecurity=False).digest()).decode()
    headers = {"content-md5": digest}
    httpx.put(url, content=rules, headers=headers, trust_env=False).raise_for_status()
