"""An output's waveform over HTTP: all stems in a few hundred bytes, kept by whoever asks."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from library_service import make_output, make_recording, world_of
from numpy.typing import NDArray
from service_client import RunningService
from standing_stems import accepted, begun, manifest_of, output_id, put_attempt, request

from stemset.audio.peaks import PeaksWriter
from stemset.jobs import ledger
from stemset.jobs.caller import Scope
from stemset.jobs.recordings import Found
from stemset.storage.keys import AttemptFolder

RATE_HZ = 48_000
SECONDS = 10  # 1875, 469, 118 and 30 pixels


def steady(*levels: float) -> NDArray[np.float32]:
    """Ten seconds in equal parts, each of one level."""
    part = SECONDS * RATE_HZ // len(levels)
    return np.repeat(np.array(levels, np.float32), part)[np.newaxis]


def made_of(
    running: RunningService,
    folder: Path,
    stems: Mapping[str, NDArray[np.float32]],
    recording: Found | None = None,
) -> tuple[str, AttemptFolder]:
    """An output whose stems have peaks. Returns its id and where it lies."""
    recording = recording or make_recording(running)
    world = world_of(running)
    wanted = request(recording)

    async def scenario() -> tuple[str, AttemptFolder]:
        job = await accepted(world, wanted)
        attempt = await begun(world, job)
        audio = dict.fromkeys(stems, b"samples")
        manifest = manifest_of(recording, audio, job_id=job.id)
        put_attempt(world.store, attempt, manifest, audio)
        for name, samples in stems.items():
            paths = written(folder / name, samples)
            manifest.metadata["stems"][name]["peaks_urls"] = [path.name for path in paths]
            for path in paths:
                data = path.read_bytes()
                world.store.write(attempt.key(path.name), data)
                described = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                manifest.metadata["files"][path.name] = described
        async with world.database.transaction() as connection:
            await ledger.complete(connection, job.id, attempt.name, manifest.metadata)
            return await output_id(connection, wanted), attempt

    return running.run(scenario)


def written(path: Path, samples: NDArray[np.float32]) -> Sequence[Path]:
    writer = PeaksWriter(path, RATE_HZ)
    writer.push(samples)
    return writer.close()


def peaks_of(running: RunningService, output: str) -> list[int]:
    answer = running.client.get(f"/api/outputs/{output}/waveform")
    assert answer.status_code == 200
    return answer.json()["peaks"]


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_waveform_is_of_the_loudest_stem_at_each_moment(running: RunningService, tmp_path: Path):
    output, _ = made_of(
        running, tmp_path, {"vocals": steady(0.5, 0.0), "bass": steady(-0.25, -0.25)}
    )

    peaks = peaks_of(running, output)

    assert (len(peaks), set(peaks[:119]), set(peaks[121:])) == (240, {64}, {32})


def test_waveform_is_read_from_the_coarsest_peaks_that_are_fine_enough(
    running: RunningService, tmp_path: Path
):
    output, folder = made_of(running, tmp_path, {"vocals": steady(0.5)})
    store = running.service.store
    store.delete([folder.key(f"vocals.peaks-{each}.dat") for each in (256, 4096, 16384)])
    assert set(peaks_of(running, output)) == {64}

    store.delete([folder.key("vocals.peaks-1024.dat")])
    answer = running.client.get(f"/api/outputs/{output}/waveform")
    assert error_of(answer) == (404, "object_not_found")


@pytest.mark.parametrize(("frames", "expected"), [(1, {64}), (1000, {64}), (0, {0})])
def test_waveform_of_a_moment_has_as_many_points(
    running: RunningService, tmp_path: Path, frames: int, expected: set[int]
):
    output, _ = made_of(running, tmp_path, {"vocals": steady(0.5)[:, :frames]})

    peaks = peaks_of(running, output)

    assert (len(peaks), set(peaks)) == (240, expected)


def test_waveform_of_negative_full_scale_is_within_bounds(running: RunningService, tmp_path: Path):
    output, _ = made_of(running, tmp_path, {"vocals": steady(-1.0)})

    assert set(peaks_of(running, output)) == {128}


def test_output_without_peaks_has_no_points(running: RunningService):
    _, output = make_output(running, make_recording(running))

    assert peaks_of(running, output) == []


def test_peaks_that_are_none_are_an_error_of_the_store(running: RunningService, tmp_path: Path):
    output, folder = made_of(running, tmp_path, {"vocals": steady(0.5)})
    running.service.store.write(folder.key("vocals.peaks-1024.dat"), b"something else")

    answer = running.client.get(f"/api/outputs/{output}/waveform")

    assert error_of(answer) == (502, "object_corrupt")


def test_waveform_is_kept_for_as_long_as_it_is_that_of_the_stems(
    running: RunningService, tmp_path: Path
):
    output, _ = made_of(running, tmp_path, {"vocals": steady(0.5)})
    (shown,) = running.client.get("/api/outputs").json()["outputs"]
    path = f"/api/outputs/{output}/waveform"

    kept = running.client.get(path, params={"completed_at": shown["completed_at"]})
    assert kept.headers["cache-control"] == "private, max-age=31536000, immutable"
    for other in ("2026-01-01T00:00:00Z", "2026-01-01", "yesterday"):
        answer = running.client.get(path, params={"completed_at": other})
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.json() == kept.json()

    known = running.client.get(path, headers={"if-none-match": kept.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_waveform_is_shown_to_those_who_see_the_output(guarded: RunningService, tmp_path: Path):
    output, _ = made_of(guarded, tmp_path, {"vocals": steady(0.5)})
    path = f"/api/outputs/{output}/waveform"

    assert guarded.client.get(path).status_code == 401
    with guarded.caller(guarded.make_token(Scope.READ, "h4n")) as reader:
        assert reader.get(path).status_code == 200
    with guarded.caller(guarded.make_token(Scope.READ, "songs")) as reader:
        assert error_of(reader.get(path)) == (404, "output_not_found")
