"""That memory does not grow with what is transferred, each measured in a process of its own."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from peak_memory import PEAK_MB

from stemset.storage.settings import StoreSettings

pytestmark = pytest.mark.slow

LENGTH = 400_000_000
LIMIT_MB = 100

PROGRAM = (
    PEAK_MB
    + """
import json
from stemset.storage._linked import LinkedExchange
from stemset.storage.exchange import KeyedExchange
from stemset.storage.keys import attempt_folder
from stemset.storage.settings import StoreSettings
from stemset.storage.store import open_store

store = open_store(StoreSettings(**json.loads(sys.argv[1])))
source, copy = Path(sys.argv[2]), Path(sys.argv[3])
folder, key = attempt_folder("h4n", "take", "job", 1), "inputs/h4n/take.wav"
store.write(key, b"")  # whatever is loaded on first use
exchange = KeyedExchange(store, key, folder)
if sys.argv[4] == "linked":
    get, put = (store.sign(m, [k], expires_s=600)[0] for m, k in
                (("GET", key), ("PUT", folder.key("a"))))
    exchange = LinkedExchange(get, {"a": put}, lambda _: [])
before = peak_mb()
store.upload(source, key)
exchange.fetch(copy)
exchange.put(copy, "a")
assert sum(map(len, store.stream(key))) == source.stat().st_size
print(peak_mb() - before)
"""
)


def grown_mb(settings: StoreSettings, folder: Path, exchange: str) -> int:
    source = folder / "source"
    with source.open("wb") as file:
        file.truncate(LENGTH)
    arguments = [json.dumps(asdict(settings)), source, folder / "copy", exchange]
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (folder / "copy").stat().st_size == LENGTH
    return int(result.stdout)


def test_transfers_with_a_folder_take_little_memory(tmp_path: Path) -> None:
    settings = StoreSettings("folder", str(tmp_path / "store"))

    assert grown_mb(settings, tmp_path, "keyed") < LIMIT_MB


@pytest.mark.s3
@pytest.mark.parametrize("exchange", ["keyed", "linked"])
def test_transfers_with_a_bucket_take_little_memory(
    bucket_settings: StoreSettings, tmp_path: Path, exchange: str
) -> None:
    assert grown_mb(bucket_settings, tmp_path, exchange) < LIMIT_MB
