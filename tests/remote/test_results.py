"""Fetching: what is here is not fetched again, and what is wrong is never taken."""

import hashlib
from pathlib import Path

import pytest
from remote_run import Take

from stemset.audio.decode import probe
from stemset.audio.formats import OutputFormat
from stemset.catalogue.fingerprint import OutputChoice
from stemset.catalogue.strategies import find_strategy
from stemset.cli.progress import Phase
from stemset.cli.remote.meter import Meter
from stemset.cli.remote.results import fetch, total_bytes
from stemset.cli.remote.survey import RemoteJob, name_job
from stemset.dispatch.standing import Whole
from stemset.errors import InvalidKey, ObjectCorrupt, ObjectNotFound, OutputBusy
from stemset.pipeline.output import making_output, read_metadata
from stemset.pipeline.plan import identify, plan_job
from stemset.storage.keys import attempt_folder
from stemset.storage.outputs import Manifest
from stemset.storage.store import Store

FILES = {"vocals.flac": b"v" * 300_000, "drums.flac": b"d" * 200_000, "vocals.png": b"picture"}


@pytest.fixture
def wanted(store: Store, take: Take, tmp_path: Path) -> RemoteJob:
    path = take()
    job = plan_job(
        identify(path),
        probe(path),
        root=tmp_path / "media",
        strategy_name="spleeter-2stems",
        strategy=find_strategy("spleeter-2stems"),
        choice=OutputChoice(OutputFormat.FLAC),
        profile="far",
    )
    return name_job(store, job)


@pytest.fixture
def whole(store: Store, wanted: RemoteJob) -> Whole:
    return put(store, wanted, FILES)


def put(store: Store, wanted: RemoteJob, files: dict[str, bytes]) -> Whole:
    folder = attempt_folder("far", wanted.job.output_name, wanted.job_id, 1)
    described = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    }
    for name, data in files.items():
        store.write(f"{folder.prefix}/{name}", data)
    metadata = {"files": described, "stems": {}, "recording": {}, "fingerprint": "0" * 64}
    return Whole(folder, Manifest(wanted.job_id, 1, metadata), is_published=True)


def run(store: Store, wanted: RemoteJob, whole: Whole) -> int:
    """Fetch, and return how many bytes came."""
    moved: list[int] = []
    meter = Meter(Phase.FETCHING_STEMS, total_bytes(whole), lambda _: None)
    fetch(store, wanted, whole, on_bytes=moved.append, meter=meter)
    return sum(moved)


def kept(wanted: RemoteJob) -> Path:
    """The folder that an ended download leaves."""
    folder = wanted.job.root / f".{wanted.job.output_name}.download"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def visible(wanted: RemoteJob) -> list[Path]:
    root = wanted.job.root
    return (
        [path for path in root.iterdir() if not path.name.startswith(".")] if root.exists() else []
    )


def test_fetch_puts_every_file_flat_into_the_output(
    store: Store, wanted: RemoteJob, whole: Whole
) -> None:
    run(store, wanted, whole)

    output = wanted.job.output
    assert {path.name: path.read_bytes() for path in output.iterdir()} == FILES | {
        "metadata.json": (output / "metadata.json").read_bytes()
    }
    assert read_metadata(output) == whole.manifest.metadata
    assert list(wanted.job.root.iterdir()) == [output]


def test_fetch_takes_what_is_here_already(store: Store, wanted: RemoteJob, whole: Whole) -> None:
    (kept(wanted) / "vocals.flac").write_bytes(FILES["vocals.flac"])
    store.delete([whole.folder.key("vocals.flac")])  # it would be missed

    moved = run(store, wanted, whole)

    assert moved == len(FILES["drums.flac"]) + len(FILES["vocals.png"])
    assert (wanted.job.output / "vocals.flac").read_bytes() == FILES["vocals.flac"]


def test_fetch_goes_on_in_the_middle_of_a_file(
    store: Store, wanted: RemoteJob, whole: Whole
) -> None:
    (kept(wanted) / "vocals.flac.part").write_bytes(FILES["vocals.flac"][:250_000])

    assert run(store, wanted, whole) == total_bytes(whole) - 250_000


@pytest.mark.parametrize("rubbish", [b"x" * 250_000, b"x" * 300_000, b"x" * 400_000])
def test_fetch_begins_again_where_what_is_here_is_wrong(
    store: Store, wanted: RemoteJob, whole: Whole, rubbish: bytes
) -> None:
    (kept(wanted) / "vocals.flac.part").write_bytes(rubbish)

    run(store, wanted, whole)

    assert (wanted.job.output / "vocals.flac").read_bytes() == FILES["vocals.flac"]


def test_fetch_replaces_a_whole_file_of_another_attempt(
    store: Store, wanted: RemoteJob, whole: Whole
) -> None:
    (kept(wanted) / "vocals.flac").write_bytes(b"x" * len(FILES["vocals.flac"]))

    run(store, wanted, whole)

    assert (wanted.job.output / "vocals.flac").read_bytes() == FILES["vocals.flac"]


def test_fetch_of_a_file_that_is_wrong_in_the_bucket_is_refused(
    store: Store, wanted: RemoteJob, whole: Whole
) -> None:
    store.write(whole.folder.key("drums.flac"), b"x" * len(FILES["drums.flac"]))

    with pytest.raises(ObjectCorrupt, match=r"drums\.flac"):
        run(store, wanted, whole)

    assert visible(wanted) == []


def test_fetch_of_a_file_that_is_gone_keeps_the_others_for_the_next_run(
    store: Store, wanted: RemoteJob, whole: Whole
) -> None:
    store.delete([whole.folder.key("vocals.png")])

    with pytest.raises(ObjectNotFound):
        run(store, wanted, whole)

    assert visible(wanted) == []
    store.write(whole.folder.key("vocals.png"), FILES["vocals.png"])
    assert run(store, wanted, whole) == len(FILES["vocals.png"])


@pytest.mark.parametrize("name", ["../outside.flac", "/outside.flac", ".hidden", "a/b.flac"])
def test_fetch_of_a_name_that_leaves_the_folder_is_refused(
    store: Store, wanted: RemoteJob, whole: Whole, name: str
) -> None:
    facts = {name: {"bytes": 1, "sha256": "0" * 64}}
    manifest = Manifest(wanted.job_id, 1, {**whole.manifest.metadata, "files": facts})

    with pytest.raises(InvalidKey):
        run(store, wanted, Whole(whole.folder, manifest, is_published=True))

    assert visible(wanted) == []


def test_fetch_while_another_process_makes_the_output_is_refused(
    store: Store, wanted: RemoteJob, whole: Whole
) -> None:
    with (
        making_output(wanted.job.root, wanted.job.output_name),
        pytest.raises(OutputBusy),
    ):
        run(store, wanted, whole)


def test_fetch_of_an_empty_file_makes_it(store: Store, wanted: RemoteJob) -> None:
    run(store, wanted, put(store, wanted, {"empty.opus": b""}))

    assert (wanted.job.output / "empty.opus").read_bytes() == b""
