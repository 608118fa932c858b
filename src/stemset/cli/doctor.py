"""``stemset doctor``: can this machine do the work? Every check does the thing that it checks."""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stemset import __version__
from stemset.audio.decode import Decoder
from stemset.catalogue.entries import CATALOGUE, find
from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.strategies import DEFAULT_STRATEGY, every_slot, find_strategy
from stemset.catalogue.weights import example_song, installed, load_files, model_cache
from stemset.cli.deployment import deployment_checks
from stemset.cli.disk_space import free_in_words
from stemset.cli.exit_codes import ExitCode, exit_code
from stemset.config import Settings, load_settings
from stemset.errors import NetworkFailed, OutputUnwritable, SourceFolderMissing, StemsetError
from stemset.pipeline.inspection import times_realtime
from stemset.pipeline.networks import Networks
from stemset.separation.networks.gpu import CUDA, gpu_is_here
from stemset.separation.networks.libraries import (
    computed_by_openvino,
    missing_libraries,
    openvino_would_help,
)
from stemset.separation.signals import plan_signals

_SCRATCH = "STEMSET_SCRATCH_DIR"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was checked.
        ok: Whether it is as it should be.
        detail: What was seen, or what is wrong and what to do.
        code: The error's code, if it is not ok.
        exit_code: What a program should take from it.
    """

    name: str
    ok: bool
    detail: str
    code: str | None = None
    exit_code: int = ExitCode.OK


def run_doctor(config: Path | None, *, order: bool = False, as_json: bool) -> int:
    """Run all checks and print what they found.

    Args:
        config: The configuration file.
        order: Whether the worker is to carry an order out.
        as_json: Print one JSON object.

    Returns:
        The exit code.
    """
    findings: list[Finding] = []
    for name, check in _checks(config, order=order):
        finding = _run(name, check)
        findings.append(finding)
        if not as_json:
            mark = "ok  " if finding.ok else "FAIL"
            sys.stdout.write(f"{mark} {finding.name}: {finding.detail}\n")
            sys.stdout.flush()  # a worker that is to wake takes its time
    if as_json:
        listed = [asdict(finding) for finding in findings]
        sys.stdout.write(json.dumps({"schema_version": 1, "checks": listed}) + "\n")
    return next((f.exit_code for f in findings if not f.ok), ExitCode.OK)


def _checks(config: Path | None, *, order: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "stemset", _versions
    yield "configuration", lambda: _configuration(load_settings(config))
    yield "outputs", lambda: _room(load_settings(config).media)
    yield "scratch", lambda: _room(Path(os.environ.get(_SCRATCH) or tempfile.gettempdir()))
    yield "model cache", _model_cache
    for name in find_strategy(DEFAULT_STRATEGY).models():
        yield f"model {name}", lambda name=name: _paths(name)
    yield "decoding", _decoding
    yield "separating", _separating
    yield "gpu", _gpu
    with suppress(StemsetError):  # what is wrong with a configuration is told above
        yield from deployment_checks(load_settings(config), order=order)


def _paths(model: str) -> str:
    return ", ".join(str(file.path) for file in load_files(find(model)))


def _run(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=check())
    except StemsetError as error:
        return Finding(
            name, ok=False, detail=str(error), code=error.code, exit_code=exit_code(error)
        )


def _versions() -> str:
    cores = os.cpu_count()
    return f"{__version__}, Python {platform.python_version()}, {cores} cores, {platform.machine()}"


def _configuration(settings: Settings) -> str:
    for profile in settings.profiles.values():
        folder = settings.source_folder(profile)
        if not folder.is_dir():
            raise SourceFolderMissing(
                f"The source folder of profile {profile.name} is not there: {folder}."
            )
    where = settings.file or "built in"
    return f"{where}; profiles: {', '.join(settings.profiles) or 'none'}"


def _room(folder: Path) -> str:
    """Whether a folder can be written to, and has room for a song and its stems."""
    return free_in_words(_writable(folder), str(folder))


def _writable(folder: Path) -> int:
    """Write where a folder is, or will be made; returns what is free there, in bytes."""
    from stemset.audio.files import writing  # noqa: PLC0415

    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    with writing(folder), tempfile.NamedTemporaryFile(dir=nearest) as file:
        file.write(b"x")
        file.flush()
    return shutil.disk_usage(nearest).free


def _model_cache() -> str:
    """Where models are; one that was filled and then made read-only, as in an image, is fine."""
    try:
        free_bytes = _writable(model_cache())
    except OutputUnwritable:
        models = find_strategy(DEFAULT_STRATEGY).models()
        if any(installed(find(name)) is None for name in models):
            raise
        return f"{model_cache()} is read-only: its models can be used, and none be added"
    return f"{model_cache()} is writable, {free_bytes / 1e9:.1f} GB free"


def _decoding() -> str:
    song = example_song(find("spleeter-2stems"))
    if song is None:
        return "no example song to try"
    with Decoder(song) as decoder:
        frames = sum(block.shape[-1] for block in decoder)
        return f"{frames / decoder.format.rate_hz:.1f} s of {decoder.format.codec} decoded"


def _separating() -> str:
    """Run the default strategy's network on one chunk of noise, and time it."""
    plan = plan_signals(find_strategy(DEFAULT_STRATEGY))
    networks = Networks()
    (network,) = networks.load(plan).values()
    speed = times_realtime(network)
    return f"on {networks.device}, {speed:.0f} times as fast as the music plays"


def _faster_on_cpu(models: Iterable[ModelEntry]) -> str:
    """What would make models that are here faster without a GPU."""
    slow = [model.name for model in models if openvino_would_help(model)]
    if not slow:
        return ""
    return f"; {', '.join(slow)} two to four times as fast with: pip install openvino"


def _gpu() -> str:
    """Load a network of every family that is installed, and run what is to compute on a GPU."""
    networks = Networks()
    ready = {
        entry.network: entry
        for entry in CATALOGUE.values()
        if installed(entry) and not missing_libraries(entry) and not computed_by_openvino(entry)
    }
    for entry in ready.values():
        for network in networks.load(plan_signals(every_slot(entry))).values():
            if network.device == CUDA:
                network(np.zeros((1, 2, network.chunk_frames), np.float32))
    if networks.gpu_troubles:
        raise NetworkFailed(" ".join(networks.gpu_troubles))
    if not gpu_is_here():
        return "none here: networks compute on the CPU" + _faster_on_cpu(ready.values())
    if networks.device == CUDA:
        return f"used by {', '.join(ready)}"
    return (
        "one is here and not used, since ONNX Runtime and PyTorch are those for CPUs: "
        "pip install onnxruntime-gpu, and PyTorch for your CUDA"
    )
