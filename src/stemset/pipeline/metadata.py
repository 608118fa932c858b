"""``metadata.json``: what an output holds and how it was made."""

import hashlib
import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from stemset import __version__
from stemset.audio.loudness import Loudness, playback_gains
from stemset.catalogue.entries import find
from stemset.separation.closing import SumError
from stemset.separation.network import Precision
from stemset.separation.networks.libraries import library_versions
from stemset.separation.signals import SignalPlan

if TYPE_CHECKING:
    from stemset.pipeline.plan import Job

SCHEMA_VERSION = 1

_SILENT_PEAK = 10 ** (-80 / 20)
_LIBRARIES = ("av", "numpy", "soxr")


@dataclass(frozen=True, slots=True)
class StemResult:
    """What a pass made of one stem.

    Attributes:
        files: The audio file first, then what belongs to it.
        peaks: Peak files, the finest first.
        loudness: What was measured.
    """

    files: tuple[Path, ...]
    peaks: tuple[Path, ...]
    loudness: Loudness

    @property
    def waveform(self) -> Path:
        """The picture of its waveform."""
        return self.files[0].with_name(f"{self.files[0].stem}.png")


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time went, in seconds.

    Attributes:
        ready_s: From the start of the run until networks are loaded.
        decode_cpu_s: CPU time of the decoder process.
        separate_s: Wall time of resampling and networks.
        close_s: Wall time of aligning, rounding and closing the sum.
        stems_s: For each stem, wall time of encoding and measuring.
    """

    ready_s: float
    decode_cpu_s: float
    separate_s: float
    close_s: float
    stems_s: Mapping[str, float]

    def with_lowering(self, lowering: "Timings") -> "Timings":
        """Add what it took to write all stems once more."""
        return Timings(
            ready_s=self.ready_s,
            decode_cpu_s=self.decode_cpu_s + lowering.decode_cpu_s,
            separate_s=self.separate_s,
            close_s=self.close_s + lowering.close_s,
            stems_s={name: self.stems_s[name] + more for name, more in lowering.stems_s.items()},
        )


def build_metadata(
    job: "Job",
    plan: SignalPlan,
    stems: Mapping[str, StemResult],
    *,
    frames: int,
    gain_db: float,
    sum_error: SumError | None,
    warnings: tuple[str, ...],
    timings: Timings,
    wall_s: float,
    device: str,
    precision: Precision,
) -> dict[str, object]:
    """Describe an output.

    Args:
        job: What was to be done.
        plan: The strategy's signals.
        stems: What each stem became.
        frames: Frames of the recording and of every stem, at the recording's rate.
        gain_db: Gain that all stems carry.
        sum_error: How far the stems' sum is from the mix, None if they need not add up.
        warnings: What was noticed of the recording and the stems.
        timings: Where the time went.
        wall_s: Time from the start of the run.
        device: What the networks computed on.
        precision: What they computed in.
    """
    gains = playback_gains({name: stem.loudness.integrated_lufs for name, stem in stems.items()})
    source = job.source
    return {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": job.fingerprint,
        "profile": job.profile,
        "output_name": job.output_name,
        "recording": {
            "name": job.recording.name,
            "sha256": job.recording.sha256,
            "bytes": job.recording.size_bytes,
            "frames": frames,
            "duration_s": frames / source.rate_hz,
            "rate_hz": source.rate_hz,
            "depth": source.depth,
            "channels": list(source.channels),
            "layout": source.layout,
            "container": source.container,
            "codec": source.codec,
            "tags": dict(source.tags),
        },
        "strategy": {"name": job.strategy_name, "tree": job.strategy.tree()},
        "models": [_model(name) for name in job.strategy.models()],
        "encoding": job.encoding.as_json(),
        "gain_db": round(gain_db, 2),
        "sum_to_mix": _sum_to_mix(sum_error, plan),
        "stems": {name: _stem(name, stem, gains[name]) for name, stem in stems.items()},
        "files": _described([path for stem in stems.values() for path in _files(stem)]),
        "warnings": list(_warnings(job, stems, warnings, gain_db)),
        "timings": {
            "wall_s": round(wall_s, 3),
            "ready_s": round(timings.ready_s, 3),
            "decode_cpu_s": round(timings.decode_cpu_s, 3),
            "separate_s": round(timings.separate_s, 3),
            "close_s": round(timings.close_s, 3),
            "stems_s": {name: round(spent, 3) for name, spent in timings.stems_s.items()},
            "gpu_s": 0.0 if device == "cpu" else round(timings.separate_s, 3),
        },
        "device": {"kind": device, "precision": precision, "machine": platform.machine()},
        "versions": _versions(job),
    }


def _versions(job: "Job") -> dict[str, str]:
    """Of what made the output; the networks' libraries are those of its models."""
    always = {name: version(name) for name in _LIBRARIES}
    models = map(find, job.strategy.models())
    return {"stemset": __version__, **always, **library_versions(models)}


def _model(name: str) -> dict[str, object]:
    entry = find(name)
    return {"name": name, "weights_sha256": entry.source.sha256, "licence": entry.licence.spdx}


def _sum_to_mix(error: SumError | None, plan: SignalPlan) -> dict[str, object] | None:
    if error is None or plan.closing is None:
        return None
    return {
        "exact": error.exact,
        "error_db": None if error.db is None else round(error.db, 1),
        "largest_error": error.largest,
        "closing_stem": plan.closing.stem,
    }


def _stem(name: str, stem: StemResult, gain_db: float) -> dict[str, object]:
    loudness = stem.loudness
    return {
        "stem_type": name,
        "measured_lufs": loudness.integrated_lufs,
        "peak_amplitude": loudness.sample_peak,
        "true_peak_dbtp": loudness.true_peak_dbtp,
        "stem_gain_adjustment_db": gain_db,
        "stem_url": stem.files[0].name,
        "companion_urls": [path.name for path in stem.files[1:]],
        "waveform_url": stem.waveform.name,
        "peaks_urls": [path.name for path in stem.peaks],
    }


def _files(stem: StemResult) -> tuple[Path, ...]:
    return (*stem.files, *stem.peaks, stem.waveform)


def _described(paths: list[Path]) -> dict[str, object]:
    with ThreadPoolExecutor() as threads:  # hashing leaves the interpreter to others
        return dict(zip((path.name for path in paths), threads.map(_file, paths), strict=True))


def _file(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _warnings(
    job: "Job", stems: Mapping[str, StemResult], decoder: tuple[str, ...], gain_db: float
) -> Iterator[str]:
    yield from dict.fromkeys((*job.source.warnings, *decoder, *job.encoding.notes))
    if gain_db:
        yield f"A stem was louder than the format can hold: all stems carry {gain_db:.2f} dB."
    for name, stem in stems.items():
        if stem.loudness.sample_peak < _SILENT_PEAK:
            yield f"The stem {name} is silent."
