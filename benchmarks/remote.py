"""Remote work: what it adds to local work, how fast a worker starts, how a sleeper sleeps.

Everything is real and on loopback: the S3 server that the tests use, a worker, the command line.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from figures import MINUTES_3, ROOT, STEMSET, Bench
from material import Song
from processes import Command, measure
from report import Row, at_most

sys.path += [str(ROOT / "tests" / "faults"), str(ROOT / "tests" / "storage")]
from s3_server import running_server
from sleeping_platform import SleepingPlatform

PAIRS = 3
STARTS = 5
SLEEPER_SONGS = 10
WAKE_S = 5.0
IDLE_S = 10.0
READY_WITHIN_S = 30.0

# Name of a step, and the events or phases that it lies between.
STEPS = (
    ("start, hash, plan", "start", "planned"),
    ("look into the bucket", "planned", "uploading"),
    ("upload the recording", "uploading", "uploaded"),
    ("order, worker fetches it", "uploaded", "loading"),
    ("separate and encode", "loading", "uploading_stems"),
    ("worker puts the stems", "uploading_stems", "fetching_stems"),
    ("fetch the stems, end", "fetching_stems", "end"),
)

CONFIG = """
profiles:
  - {name: far, source_folder: recordings, remote: true, output: {format: opus}}
"""


@dataclass(frozen=True)
class Site:
    """A folder with a configuration, and a `.env` that reaches the bucket."""

    folder: Path

    @property
    def recordings(self) -> Path:
        """The source folder."""
        return self.folder / "recordings"

    def command(self, media: str, *options: str, url: str = "") -> list[str | Path]:
        """`stemset process far`, with the worker and a media folder."""
        settings = (f"GPU_WORKER_URL={url}", f"STEMSET_MEDIA_DIR={self.folder / media}")
        config = ("--config", self.folder / "config.yaml")
        return ["env", *settings, STEMSET, "process", "far", *config, *options]

    def start_worker(self, port: int) -> "subprocess.Popen[bytes]":
        """Start a worker on a port."""
        log = (self.folder / "worker.log").open("ab")
        with log:
            return subprocess.Popen(
                [STEMSET, "worker", "--port", str(port)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def remote(bench: Bench) -> Iterator[Row]:
    """The remote way beside the local one, the start of a worker, a worker that sleeps."""
    if sys.platform != "linux":
        print("  left out: the S3 server runs on Linux alone")
        return
    with site(bench) as there:
        yield from starts(there)
        yield from beside_local(bench, there)
        if not bench.quick:
            yield from sleeper(bench, there)


@contextmanager
def site(bench: Bench) -> Iterator[Site]:
    """Start the S3 server and make a folder to work from."""
    folder = bench.scratch / "remote"
    (folder / "recordings").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    with running_server(folder / "s3") as server:
        bucket = server.new_bucket()
        given = {
            "R2_BUCKET_NAME": bucket.bucket,
            "R2_ACCESS_KEY_ID": bucket.access_key_id,
            "R2_SECRET_ACCESS_KEY": bucket.secret_access_key,
            "STEMSET_S3_ENDPOINT": bucket.endpoint,
        }
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        yield Site(folder)
    shutil.rmtree(folder)


def starts(there: Site) -> Iterator[Row]:
    """From the start of the process until it takes orders."""
    waits = []
    for number in range(STARTS):
        begun = time.perf_counter()
        with running(there, 18_100 + number):
            waits.append(time.perf_counter() - begun)
    detail = f"median of {STARTS} fresh processes, {min(waits):.2f} to {max(waits):.2f}"
    yield at_most(1.5, "Worker start to /readyz", median(waits), "s", detail)


@contextmanager
def running(there: Site, port: int) -> Iterator[str]:
    """A worker that takes orders; gives its address."""
    worker = there.start_worker(port)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(url)
        yield url
    finally:
        worker.terminate()
        worker.wait()


def wait_ready(url: str) -> None:
    """Wait until a worker takes orders, asking every 5 ms."""
    limit = time.perf_counter() + READY_WITHIN_S
    while time.perf_counter() < limit:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", trust_env=False).is_success:
                return
        time.sleep(0.005)
    message = f"The worker at {url} is not ready within {READY_WITHIN_S} s."
    raise SystemExit(message)


def beside_local(bench: Bench, there: Site) -> Iterator[Row]:
    """Wall time of one 3-minute song, new to both ways, by turns."""
    ratios, far, near = [], [], []
    with running(there, 18_200) as url:
        for number in range(PAIRS + 1):
            path = bench.song(Song(MINUTES_3.seconds + number, 44_100, 16))
            path = path.rename(there.recordings / path.name)
            file = str(path)
            there_s = measure(there.command("far", file, url=url), bench.log).wall_s
            here_s = measure(there.command("near", file, "--local"), bench.log).wall_s
            path.unlink()
            if number:  # the first pair warms the networks and the files' cache
                ratios.append(there_s / here_s)
                far.append(there_s)
                near.append(here_s)
        path = bench.song(Song(MINUTES_3.seconds + PAIRS + 1, 44_100, 16))
        path = path.rename(there.recordings / path.name)
        steps = timeline(there.command("far", str(path), "--json", url=url))
        path.unlink()
    detail = f"3 min, median of {PAIRS} pairs: {median(far):.2f} s and {median(near):.2f} s"
    yield at_most(1.1, "Wall time, remote ÷ local", median(ratios), detail=detail)
    for step, took_s in steps.items():
        yield Row(f"Remote, {step}", took_s, "s", detail="one run, by its own events")


def timeline(command: Command) -> dict[str, float]:
    """Run a remote command and note how long each of its steps takes, in seconds."""
    begun = time.perf_counter()
    at = {"start": 0.0}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            event = json.loads(line)
            at.setdefault(event.get("phase") or event["event"], time.perf_counter() - begun)
    at["end"] = time.perf_counter() - begun
    return {name: at[until] - at[since] for name, since, until in STEPS}


def sleeper(bench: Bench, there: Site) -> Iterator[Row]:
    """A folder of songs and a worker that is put to sleep when nobody asks."""
    for number in range(SLEEPER_SONGS):
        path = bench.song(Song(MINUTES_3.seconds + 10 + number, 44_100, 16))
        path.rename(there.recordings / path.name)
    with SleepingPlatform(there.start_worker, wake_s=WAKE_S, idle_s=IDLE_S) as platform:
        took = measure(there.command("slept", url=platform.url), bench.log)
        platform.wait_until_asleep(IDLE_S + READY_WITHIN_S)
    songs = f"{SLEEPER_SONGS} songs of 3 min, {WAKE_S:.0f} s to wake"
    yield at_most(1, "Wakes for a folder", platform.wakes, detail=songs)
    yield at_most(0, "Put to sleep at work", platform.slept_at_work, detail="the same")
    tail_s = platform.awake_s - took.wall_s
    detail = f"awake {platform.awake_s:.1f} s for {took.wall_s:.1f} s of work, {IDLE_S:.0f} s idle"
    yield at_most(IDLE_S + 5, "Awake beyond the work", tail_s, "s", detail)
