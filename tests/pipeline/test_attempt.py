import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from order_of import JOB_ID, order_of, put_input
from program import write_take

from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice, fingerprint
from stemset.catalogue.strategies import parse_strategy
from stemset.errors import (
    AttemptUsed,
    InputChanged,
    InvalidStrategy,
    LicenceRefused,
    NotAudio,
    UnsupportedVersion,
)
from stemset.orders.messages import Order
from stemset.orders.phase import Phase
from stemset.pipeline.attempt import Bench, Done, perform
from stemset.pipeline.networks import Networks
from stemset.storage.exchange import KeyedExchange
from stemset.storage.keys import CLAIM, parse_attempt_folder
from stemset.storage.outputs import check, find_whole, publish, read_manifest
from stemset.storage.settings import StoreSettings
from stemset.storage.store import Store, open_store

Told = list[tuple[Phase, float]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "bucket").mkdir()
    return open_store(StoreSettings("folder", str(tmp_path / "bucket")))


@pytest.fixture
def recording(tmp_path: Path, song: NDArray[np.float32]) -> Path:
    return write_take(tmp_path / "take.wav", song[:, 100_000 : 100_000 + 66_150])


@pytest.fixture
def bench(tmp_path: Path, networks: Networks) -> Bench:
    return Bench(networks, str(tmp_path / "scratch"))


def carry_out(order: Order, store: Store, bench: Bench, told: Told | None = None) -> Done:
    folder = parse_attempt_folder(order.output.prefix)
    exchange = KeyedExchange(store, order.input.key, folder)
    seen = [] if told is None else told
    return perform(order, exchange, bench, lambda phase, done, _: seen.append((phase, done)))


def left_on_scratch(bench: Bench) -> list[Path]:
    return list(Path(bench.scratch or "").glob("stemset-scratch-*"))


def test_attempt_leaves_a_whole_output_and_nothing_on_scratch(
    store: Store, recording: Path, bench: Bench
) -> None:
    put_input(store, recording)
    order = order_of(recording)

    done = carry_out(order, store, bench)

    folder = parse_attempt_folder(order.output.prefix)
    manifest = read_manifest(store, folder)
    assert manifest is not None
    assert done.stems == ("vocals", "accompaniment")
    assert check(store, folder, manifest, as_put=True) == []
    assert manifest.etags == {name: store.head(folder.key(name)).etag for name in manifest.files}
    for name, facts in manifest.files.items():
        data = store.read(folder.key(name), limit=1 << 30)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (facts["bytes"], facts["sha256"])
    assert manifest.metadata["recording"]["name"] == "take.wav"
    assert manifest.metadata["output_name"] == order.output_name
    assert left_on_scratch(bench) == []


def test_attempt_tells_progress_that_only_grows_through_all_phases(
    store: Store, recording: Path, bench: Bench
) -> None:
    put_input(store, recording)
    told: Told = []

    carry_out(order_of(recording), store, bench, told)

    fractions = [done for _, done in told]
    assert fractions == sorted(fractions)
    phases = list(dict.fromkeys(phase for phase, _ in told))
    assert phases[0] is Phase.DOWNLOADING
    assert phases[-1] is Phase.UPLOADING


def test_attempt_published_points_at_its_folder(
    store: Store, recording: Path, bench: Bench
) -> None:
    put_input(store, recording)
    order = order_of(recording, attempt=2)
    carry_out(order, store, bench)

    whole = find_whole(store, "h4n", order.output_name, JOB_ID, order.fingerprint)
    assert whole is not None
    publish(store, *whole)

    published = store.read(f"outputs/h4n/{order.output_name}/metadata.json").decode()
    assert '"stem_url": "01234567-2/vocals.flac"' in published


def test_attempt_that_was_begun_before_is_refused(
    store: Store, recording: Path, bench: Bench
) -> None:
    put_input(store, recording)
    order = order_of(recording)
    store.create(parse_attempt_folder(order.output.prefix).key(CLAIM), b'{"begun_by": "other"}')

    with pytest.raises(AttemptUsed):
        carry_out(order, store, bench)

    assert carry_out(order_of(recording, attempt=2), store, bench).stems


def test_attempt_that_is_whole_is_answered_without_computing(
    store: Store, recording: Path, bench: Bench, tmp_path: Path
) -> None:
    put_input(store, recording)
    carry_out(order_of(recording), store, bench)
    told: Told = []

    done = carry_out(order_of(recording), store, Bench(Networks(tmp_path), str(tmp_path)), told)

    assert done.stems == ("vocals", "accompaniment")
    assert told == []


def test_attempt_at_a_recording_that_was_replaced_is_refused(
    store: Store, recording: Path, bench: Bench
) -> None:
    order = order_of(recording)
    recording.write_bytes(recording.read_bytes()[:-4] + b"\1\2\3\4")
    put_input(store, recording)

    with pytest.raises(InputChanged, match=order.input.sha256):
        carry_out(order, store, bench)


def test_attempt_at_a_recording_that_was_deleted_is_refused(
    store: Store, recording: Path, bench: Bench
) -> None:
    with pytest.raises(InputChanged, match="not in the bucket"):
        carry_out(order_of(recording), store, bench)


def test_attempt_at_what_is_no_audio_is_refused_and_leaves_no_manifest(
    store: Store, recording: Path, bench: Bench
) -> None:
    recording.write_bytes(b"<html>not found</html>" * 100)
    put_input(store, recording)
    order = order_of(recording)

    with pytest.raises(NotAudio):
        carry_out(order, store, bench)

    assert read_manifest(store, parse_attempt_folder(order.output.prefix)) is None
    assert left_on_scratch(bench) == []


def test_attempt_for_another_engine_is_refused_before_it_is_claimed(
    store: Store, recording: Path, bench: Bench
) -> None:
    order = order_of(recording, fingerprint="0" * 64)

    with pytest.raises(UnsupportedVersion, match="same version"):
        carry_out(order, store, bench)

    assert list(store.list_below("outputs")) == []


def test_attempt_with_a_licence_that_is_not_allowed_is_refused(
    store: Store, recording: Path, bench: Bench
) -> None:
    strict = Bench(bench.networks, bench.scratch, allow_licences=("Apache-2.0",))

    with pytest.raises(LicenceRefused):
        carry_out(order_of(recording), store, strict)


def test_attempt_at_stems_that_the_strategy_has_not_is_refused(
    store: Store, recording: Path, bench: Bench
) -> None:
    with pytest.raises(InvalidStrategy, match="drums"):
        carry_out(order_of(recording, stems=("drums",)), store, bench)


def test_attempt_at_one_stem_makes_that_one(store: Store, recording: Path, bench: Bench) -> None:
    put_input(store, recording)
    alone = parse_strategy({"_": "spleeter-2stems", "vocals": "vocals"})
    wanted = fingerprint(alone, OutputChoice(OutputFormat.FLAC))

    done = carry_out(order_of(recording, stems=("vocals",), fingerprint=wanted), store, bench)

    assert done.stems == ("vocals",)
