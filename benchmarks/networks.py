"""Figures of the networks beside Spleeter, most of them against demucs's own command.

The weights are random and of the released sizes; see ``stand_ins``. Start-up is part of every
figure but the share of the machine's peak.
"""

import json
import math
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median

import numpy as np

import peers
import report
from figures import MINUTES_3, PAIRS, PYTHON, ROOT, STEMSET, TO_FLAC, Bench, cost, memory_is_known
from figures import peaks as memory_peaks
from material import Song
from processes import Command, Measured, measure, measure_memory
from quality import FLOAT_WAV, Samples, decibels, samples_of
from report import Row, at_least, at_most
from stemset.catalogue.entries import find

STAND_INS = ROOT / "benchmarks" / "stand_ins.py"
ARITHMETIC = ROOT / "benchmarks" / "arithmetic.py"
MODEL = "htdemucs"
BAG = "htdemucs_ft"
FULL = "full"

WARM_UP = Song(12, 44_100, 16)
MINUTES_2 = Song(120, 44_100, 16)
MINUTES_10 = Song(600, 44_100, 16)
HALF_MINUTE = Song(30, 44_100, 16)
TWO_CHUNKS = Song(16, 44_100, 16)

# What each model is measured on: one whose chunk takes a minute is not made to wait for four.
SONGS = {
    "htdemucs": HALF_MINUTE,
    "htdemucs_ft": HALF_MINUTE,
    "htdemucs_6s": HALF_MINUTE,
    "hdemucs_mmi": HALF_MINUTE,
    "melband_roformer_kim": TWO_CHUNKS,
    "kuielab_b_drums": HALF_MINUTE,
    "kuielab_a_bass": HALF_MINUTE,
}
ONE_NETWORK = "one-of-htdemucs_ft"
FOUR_NETWORKS = "all-of-htdemucs_ft"
# Strategies that are not built in.
OWN_STRATEGIES = {
    ONE_NETWORK: {"_": BAG, "vocals": "vocals"},
    FOUR_NETWORKS: {"_": BAG, "vocals": "vocals", "other": "other", "drums+bass": "rhythm"},
    "kuielab_b_drums": {"_": "kuielab_b_drums", "drums": "drums", "not_drums": "rest"},
    "kuielab_a_bass": {"_": "kuielab_a_bass", "bass": "bass", "not_bass": "rest"},
}
GPU_EVERY_MS = 100


@dataclass(frozen=True)
class StandIns:
    """Stemset and demucs, with models of random weights.

    Attributes:
        bench: Where to measure, and on what.
    """

    bench: Bench

    @property
    def folder(self) -> Path:
        """Where the models and the configuration are."""
        return self.bench.scratch / "stand-ins"

    def install(self, *models: str) -> None:
        """Make models, and the configuration."""
        subprocess.run([PYTHON, STAND_INS, self.folder, *models], check=True)
        output = {"format": "wav", "depth": "32f"}
        profiles = [
            {"name": name, "source_folder": ".", "strategy": name, "output": output}
            for name in dict.fromkeys((*SONGS, BAG, *OWN_STRATEGIES))
        ]
        config = {"strategies": OWN_STRATEGIES, "profiles": profiles}
        (self.folder / "config.yaml").write_text(json.dumps(config))  # all JSON is YAML

    def split(self, song: Path, strategy: str, *options: str, precision: str = "") -> Command:
        """Stemset's command for a song, into an empty folder."""
        split = self.bench.split(song, "--strategy", strategy, *options)
        return [*self._environment(precision), *split]

    def process(self, song: Path, profile: str, *, precision: str = "") -> Command:
        """Stemset's command for a profile of the configuration, into an empty folder."""
        shutil.rmtree(self.bench.output, ignore_errors=True)
        config = ("--config", self.folder / "config.yaml")
        return [*self._environment(precision), STEMSET, "process", profile, song, *config]

    def peer(self, song: Path, model: str) -> Command:
        """The peer's own command for a song, into an empty folder."""
        shutil.rmtree(self.bench.output, ignore_errors=True)
        weights = ("--repo", self.folder / "repository", "--name", model)
        manner = ("--shifts", "0", "--float32", "--clip-mode", "none")
        command = (peers.PYTHON, "-m", "demucs.separate", *weights, *manner)
        return [*command, "--out", self.bench.output, song]

    def stems(self) -> dict[str, Samples]:
        """The stems that the last command wrote, whoever it was."""
        return {path.stem: samples_of(path) for path in sorted(self.bench.output.rglob("*.wav"))}

    def metadata(self) -> dict[str, dict[str, float | str]]:
        """The metadata that the last command of Stemset wrote."""
        (path,) = self.bench.output.rglob("metadata.json")
        return json.loads(path.read_text())

    def _environment(self, precision: str) -> Command:
        cache = f"STEMSET_MODEL_DIR={self.folder / 'cache'}"
        media = f"STEMSET_MEDIA_DIR={self.bench.output}"
        return ["env", cache, media, f"STEMSET_PRECISION={precision}"]


@dataclass(frozen=True)
class Run:
    """A run of Stemset on the 2-minute song.

    Attributes:
        measured: What it cost.
        separate_s: How long it separated.
        computed_in: The precision.
    """

    measured: Measured
    separate_s: float
    computed_in: str


def demucs(bench: Bench) -> Iterator[Row]:
    """One network against the peer: cost, agreement, share of the machine's peak."""
    if not torch_is_here():
        return
    stand_ins = StandIns(bench)
    stand_ins.install(MODEL)
    yield first_start(stand_ins)
    measure(stand_ins.split(bench.song(WARM_UP), MODEL, *FLOAT_WAV, precision=FULL), bench.log)
    measure(stand_ins.peer(bench.song(WARM_UP), MODEL), bench.log)

    song = bench.song(MINUTES_2)
    default: list[Run] = []
    full: list[Run] = []
    theirs: list[Measured] = []
    powers: list[dict[str, float]] = []
    default_stems = full_stems = {}
    for _ in range(PAIRS):
        default.append(run_of_stemset(stand_ins, song))
        default_stems = stand_ins.stems()
        full.append(run_of_stemset(stand_ins, song, precision=FULL))
        full_stems = stand_ins.stems()
        powers.append(powers_of_the_machine(bench))
        theirs.append(measure(stand_ins.peer(song, MODEL), bench.log))
    wanted = stand_ins.stems()

    for manner, most, least_db, runs, stems in (
        ("default precision", 0.42, 45, default, default_stems),
        ("full precision", 0.75, 80, full, full_stems),
    ):
        pairs = zip(runs, theirs, strict=True)
        ratio = median(run.measured.cpu_s / their.cpu_s for run, their in pairs)
        computed_in = runs[-1].computed_in
        detail = f"{computed_in}, 2 min to 4 float WAV, median of {PAIRS} rounds by turns"
        yield at_most(most, f"CPU time, {manner} ÷ demucs", ratio, detail=detail)
        yield from agreement(manner, least_db, stems, wanted)
        yield from cost(f"htdemucs, {manner}", [run.measured for run in runs], MINUTES_2)
    yield from cost("demucs", theirs, MINUTES_2)
    measure(stand_ins.split(song, MODEL, *FLOAT_WAV, "--original-manner"), bench.log)
    yield from agreement("original manner", 80, stand_ins.stems(), wanted)
    yield from shares_of_peak({run[-1].computed_in: run for run in (full, default)}, powers)


def first_start(stand_ins: StandIns) -> Row:
    """What the first run of a model costs more, which keeps what it has made."""
    song = stand_ins.bench.song(WARM_UP)
    first, second = (
        measure(stand_ins.split(song, MODEL, *FLOAT_WAV), stand_ins.bench.log) for _ in range(2)
    )
    detail = f"{WARM_UP.seconds} s of audio; the second run took {second.wall_s:.1f} s"
    return Row("First run of htdemucs after its install", first.wall_s, "s", detail=detail)


def run_of_stemset(stand_ins: StandIns, song: Path, precision: str = "") -> Run:
    """Run Stemset, and read what it says of itself."""
    command = stand_ins.split(song, MODEL, *FLOAT_WAV, precision=precision)
    measured = measure(command, stand_ins.bench.log)
    metadata = stand_ins.metadata()
    return Run(
        measured,
        separate_s=float(metadata["timings"]["separate_s"]),
        computed_in=str(metadata["device"]["precision"]),
    )


def agreement(
    manner: str, least_db: float, ours: dict[str, Samples], theirs: dict[str, Samples]
) -> Iterator[Row]:
    """How far stems are those of the peer.

    The stem that closes the sum is no network's, unless in the original manner. Nor do the others
    have the recording's mean then, which the peer adds to every stem: each is compared without.
    """
    closing = find(MODEL).closing_slot
    names = [name for name in theirs if manner == "original manner" or name != closing]
    wanted = {name: without_mean(theirs[name]) for name in names}
    errors = {name: without_mean(ours[name]) - wanted[name] for name in names}
    worst = min(decibels(wanted[name], errors[name]) for name in names)
    joined = (np.concatenate([parts[name] for name in names]) for parts in (wanted, errors))
    detail = f"with demucs's own stems: {', '.join(names)}"
    yield at_least(least_db, f"Agreement, {manner}, all", decibels(*joined), "dB", detail)
    yield at_least(least_db, f"Agreement, {manner}, worst stem", worst, "dB", detail)


def without_mean(stem: Samples) -> Samples:
    """A stem without its mean."""
    return stem - stem.mean()


def powers_of_the_machine(bench: Bench) -> dict[str, float]:
    """The machine's fastest matrix products, in FLOP/s by data type, and a chunk's FLOPs."""
    measure([PYTHON, ARITHMETIC, str(report.cores())], bench.log)
    return json.loads(bench.log.read_text().splitlines()[-1])


def shares_of_peak(runs: dict[str, list[Run]], powers: list[dict[str, float]]) -> Iterator[Row]:
    """How much of the machine's fastest matrix product is reached while a song is separated."""
    entry = find(MODEL)
    hop = entry.chunk_frames - entry.overlap_frames
    chunks = math.ceil(MINUTES_2.seconds * MINUTES_2.rate_hz / hop)
    chunk_flop = powers[0]["chunk_flop"]
    for precision, measured in runs.items():
        rounds = zip(measured, powers, strict=True)
        share = median(
            chunks * chunk_flop / run.separate_s / power[precision] for run, power in rounds
        )
        peak = median(power[precision] for power in powers)
        detail = (
            f"{chunks} chunks × {chunk_flop / 1e9:.1f} GFLOP ÷ time of separating alone, "
            f"of {peak / 1e9:.0f} GFLOP/s that torch.mm reaches at 4096³ in the same round"
        )
        yield Row(f"Share of the machine's peak, {precision}", share, detail=detail)


def bag(bench: Bench) -> Iterator[Row]:
    """One stem of a bag, which has a network for each of its four."""
    if not torch_is_here():
        return
    stand_ins = StandIns(bench)
    stand_ins.install(BAG)
    song = bench.song(MINUTES_2)
    profiles = (ONE_NETWORK, FOUR_NETWORKS, BAG)
    measure(stand_ins.process(bench.song(WARM_UP), FOUR_NETWORKS), bench.log)
    rounds = [
        [measure(stand_ins.process(song, profile), bench.log).cpu_s for profile in profiles]
        for _ in range(PAIRS)
    ]
    detail = f"CPU time, 2 min, default precision, median of {PAIRS} rounds by turns; "
    yield at_most(
        0.27,
        "One stem of htdemucs_ft ÷ four networks",
        median(one / four for one, four, _ in rounds),
        detail=detail + "vocals, other, and the sum of drums and bass need all four",
    )
    yield Row(
        "One stem of htdemucs_ft ÷ its four stems",
        median(one / stems for one, _, stems in rounds),
        detail=detail + "other is what three networks leave",
    )


def networks(bench: Bench) -> Iterator[Row]:
    """What each model costs, in its default precision and in full."""
    if not torch_is_here():
        return
    stand_ins = StandIns(bench)
    stand_ins.install(*SONGS)
    for model, song in SONGS.items():
        path = bench.song(song)
        measure(stand_ins.process(path, model), bench.log)  # what is made once is made now
        for precision in ("", FULL):
            measured = measure(stand_ins.process(path, model, precision=precision), bench.log)
            metadata = stand_ins.metadata()
            separate_s = float(metadata["timings"]["separate_s"])
            computed_in = metadata["device"]["precision"]
            yield Row(
                f"CPU-seconds per audio second, {model}, {precision or 'default'}",
                measured.cpu_s / song.seconds,
                detail=(
                    f"{computed_in}, {song.seconds} s of audio, one run: "
                    f"{song.seconds / measured.wall_s:.2f} times realtime, "
                    f"{song.seconds / separate_s:.2f} while it separates"
                ),
            )


def memory(bench: Bench) -> Iterator[Row]:
    """Peak memory of the network at growing lengths, and the peer's."""
    if not torch_is_here() or not memory_is_known():
        return
    stand_ins = StandIns(bench)
    stand_ins.install(MODEL)
    measure(stand_ins.split(bench.song(WARM_UP), MODEL, *TO_FLAC), bench.log)

    def split(song: Path) -> Command:
        return stand_ins.split(song, MODEL, *TO_FLAC)

    yield from memory_peaks(bench, split, limit_mb=2_500, of=", htdemucs")
    theirs = measure_memory(stand_ins.peer(bench.song(MINUTES_3), MODEL), bench.log)
    yield Row("Peak memory, demucs, 3 min", theirs.peak_mb or 0.0, "MB")


def gpu(bench: Bench) -> Iterator[Row]:
    """On a GPU: end to end, against the peer on the same card."""
    if not torch_is_here():
        return
    if not gpu_is_here():
        print("  left out: no GPU here")
        return
    stand_ins = StandIns(bench)
    stand_ins.install(MODEL, BAG)
    song = bench.song(MINUTES_10)
    for model in (MODEL, BAG):
        measure(stand_ins.split(bench.song(WARM_UP), model, *FLOAT_WAV), bench.log)
        measure(stand_ins.peer(bench.song(WARM_UP), model), bench.log)
        ours: list[Measured] = []
        theirs: list[Measured] = []
        busy: dict[str, list[float]] = {"Stemset": [], "demucs": []}
        for _ in range(PAIRS):
            with gpu_watched(bench, busy["Stemset"]):
                ours.append(measure(stand_ins.split(song, model, *FLOAT_WAV), bench.log))
            with gpu_watched(bench, busy["demucs"]):
                theirs.append(measure(stand_ins.peer(song, model), bench.log))
        yield from on_gpu(model, ours, theirs, busy)


def on_gpu(
    model: str,
    ours: Sequence[Measured],
    theirs: Sequence[Measured],
    busy: dict[str, list[float]],
) -> Iterator[Row]:
    """What runs on a GPU took."""
    for who, runs in (("Stemset", ours), ("demucs", theirs)):
        times_realtime = MINUTES_10.seconds / median(run.wall_s for run in runs)
        detail = f"10 min to float WAV, start-up included, median of {PAIRS} runs by turns"
        yield Row(f"Times realtime on a GPU, {model}, {who}", times_realtime, detail=detail)
        detail = f"mean over the whole process, asked every {GPU_EVERY_MS} ms"
        yield Row(f"GPU busy, {model}, {who}", median(busy[who]), "%", detail=detail)
    ratio = median(their.wall_s / our.wall_s for our, their in zip(ours, theirs, strict=True))
    yield Row(f"Speed on a GPU, {model}, Stemset ÷ demucs", ratio, detail="wall time")


def torch_is_here() -> bool:
    """Whether PyTorch is installed, which runs the networks; says so if it is not."""
    if find_spec("torch"):
        return True
    print("  left out: PyTorch is not installed")
    return False


def gpu_is_here() -> bool:
    """Whether PyTorch sees a GPU, asked in a process of its own."""
    asked = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([PYTHON, "-c", asked], check=False).returncode == 0


@contextmanager
def gpu_watched(bench: Bench, busy: list[float]) -> Iterator[None]:
    """Watch how busy the GPU is, and append the mean in percent."""
    log = bench.scratch / "gpu.txt"
    query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
    with log.open("wb") as output:
        watch = subprocess.Popen(["nvidia-smi", *query, f"-lms={GPU_EVERY_MS}"], stdout=output)
    try:
        yield
    finally:
        watch.terminate()
        watch.wait()
    busy.append(fmean(float(line) for line in log.read_text().splitlines() if line.strip()))
