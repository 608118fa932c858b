"""An output whose stems can be heard, in the library of a running service; and what is exported."""

import io
import time
import wave
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
from library_service import world_of
from numpy.typing import NDArray
from service_client import WITHIN_S, RunningService
from standing_stems import found, manifest_of, note_upload, put_attempt, put_input

from stemset.jobs.adoption import adopt
from stemset.storage.keys import attempt_folder
from stemset.storage.outputs import publish

RATE_HZ = 48_000
ENCODING = {
    "format": "wav",
    "bitrate_kbps": None,
    "rate_hz": RATE_HZ,
    "source_rate_hz": RATE_HZ,
    "channels": ["FL", "FR"],
    "layout": "stereo",
    "depth": "16",
}

Samples = NDArray[np.int16]


def noises(seconds: float = 2.0, seed: int = 1, peak: int = 8000) -> dict[str, Samples]:
    """Three stems of 16-bit noise, shape ``(2, frames)``, whose sum does not overshoot."""
    random = np.random.default_rng(seed)
    shape = (2, round(seconds * RATE_HZ))
    return {
        name: random.integers(-peak, peak, shape, dtype=np.int16)
        for name in ("vocals", "drums", "bass")
    }


def make_sounding_output(
    running: RunningService,
    stems: dict[str, Samples],
    *,
    number: int = 1,
    name: str = "practice",
    profile: str = "h4n",
) -> str:
    """Put an output of WAV stems into the library. Returns its id."""
    duration_s = next(iter(stems.values())).shape[1] / RATE_HZ
    recording = found(number, filename=f"{name}.wav", duration_s=duration_s)
    put_input(running.service.store, recording)
    running.run(lambda: note_upload(world_of(running), recording, profile))
    facts = {
        "name": recording.filename,
        "sha256": recording.sha256,
        "bytes": recording.bytes,
        "frames": round(duration_s * RATE_HZ),
        "duration_s": duration_s,
        "rate_hz": RATE_HZ,
        "channels": ["FL", "FR"],
        "tags": {"artist": "The Band"},
    }
    data = {stem: wav_bytes(samples) for stem, samples in stems.items()}
    service = running.service
    made = manifest_of(recording, data)
    metadata = {**made.metadata, "recording": facts, "encoding": ENCODING}
    folder = attempt_folder(profile, f"{name}_{recording.sha256[:8]}", "cli00000", 1)
    put_attempt(service.store, folder, replace(made, metadata=metadata), data)
    publish(service.store, folder, replace(made, metadata=metadata))
    running.run(lambda: adopt(service.database, service.store, service.threads))
    page = running.client.get("/api/outputs", params={"search": name}).json()
    return page["outputs"][0]["output_id"]


def wav_bytes(samples: Samples) -> bytes:
    """A 16-bit WAV file."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.T.astype("<i2").tobytes())
    return written.getvalue()


def read_wav(data: bytes) -> Samples:
    """The samples of a 16-bit WAV file, shape ``(channels, frames)``."""
    with wave.open(io.BytesIO(data)) as file:
        assert file.getsampwidth() == 2
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return frames.reshape(-1, file.getnchannels()).T


def ask(running: RunningService, output_id: str, **mix: Any) -> httpx.Response:
    """Ask for an export, as 16-bit WAV of all three stems unless told otherwise."""
    wanted = {
        "stems": {"vocals": {}, "drums": {}, "bass": {}},
        "format": "wav",
        **mix,
    }
    return running.client.post(f"/api/outputs/{output_id}/exports", json=wanted)


def export(running: RunningService, output_id: str, **mix: Any) -> dict[str, Any]:
    """Ask for an export and wait until it is ready."""
    answer = ask(running, output_id, **mix)
    assert answer.status_code == 200, answer.text
    return await_export(running, answer.json()["export_id"])


def await_export(running: RunningService, export_id: str) -> dict[str, Any]:
    """Wait until an export is ready."""
    until_s = time.monotonic() + WITHIN_S
    while True:
        view = running.client.get(f"/api/exports/{export_id}").json()
        if view["state"] not in ("queued", "running"):
            assert view["state"] == "ready", view
            return view
        assert time.monotonic() < until_s, view
        time.sleep(0.02)


def download(running: RunningService, view: dict[str, Any]) -> httpx.Response:
    """Fetch an export's file by its address, without a token."""
    answer = httpx.get(running.url + view["url"])
    assert answer.status_code == 200, answer.text
    return answer
