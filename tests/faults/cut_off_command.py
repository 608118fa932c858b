"""`stemset process` on a network of its own: bucket and worker are beyond a link that is cut."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from deployment import WAIT_S, Deployment, Worker, ended
from own_network import Cut, OwnNetwork, own_network
from program import Ended, write_take
from watched_way import Trap, WatchedWay, watched_way

from stemset.serving.lan.certificates import AUTHORITY_FILE, certified

TRANSFERRED_BYTES = 2_000_000
"""Of one file, when the link is cut; downloads are written by the MiB."""

_RATE_HZ = 44_100
_SECONDS = 20


class Stage(StrEnum):
    """What the command is at."""

    UPLOADING = "uploading"
    WAITING = "waiting"
    DOWNLOADING = "downloading"


@dataclass(frozen=True)
class CutOffCommand:
    """The command, and all that it needs.

    Attributes:
        deployment: Its folder, the bucket, the worker.
        network: Its network.
        bucket: The way to the bucket.
        edge: The way to the worker, by TLS.
        worker: The worker, on this side.
        authority: The certificate that the edge's is trusted by.
        recording: What it separates: noise, so that stems have some length as FLAC.
    """

    deployment: Deployment
    network: OwnNetwork
    bucket: WatchedWay
    edge: WatchedWay
    worker: Worker
    authority: Path
    recording: Path

    def run_and_cut(self, stage: Stage, how: Cut, **env: str) -> "subprocess.Popen[bytes]":
        """Start it, and cut the link when it is in the middle of a stage."""
        is_cut = threading.Event()

        def cut() -> None:
            self.network.cut(how)
            is_cut.set()

        if stage is Stage.UPLOADING:
            self.bucket.trap = Trap("PUT", "/inputs/", cut, sent=TRANSFERRED_BYTES)
        elif stage is Stage.DOWNLOADING:
            self.bucket.trap = Trap("GET", "/outputs/", cut, answered=TRANSFERRED_BYTES)
        command = self._start(**env)
        if stage is Stage.WAITING:
            self.worker.wait_line("Processing with")
            cut()
        assert is_cut.wait(WAIT_S), f"the command did not come to {stage}"
        return command

    def run(self, **env: str) -> Ended:
        """Run it to its end."""
        return ended(self._start(**env))

    def _start(self, **env: str) -> "subprocess.Popen[bytes]":
        ways = {
            "STEMSET_S3_ENDPOINT": self.bucket.url,
            "SSL_CERT_FILE": str(self.authority),
            "NO_PROXY": self.network.outside,
        }
        return self.deployment.start(self.edge.url, **ways, **env)


@contextmanager
def cut_off_command(deployment: Deployment) -> Iterator[CutOffCommand]:
    """Make the network and the ways; skips by name where that cannot be done."""
    noise = np.random.default_rng(seed=7).uniform(-0.5, 0.5, (2, _SECONDS * _RATE_HZ))
    recording = write_take(deployment.recordings / "noise.wav", noise.astype(np.float32))
    certificates = deployment.folder / "certificates"
    with own_network() as network:
        tls = certified(certificates, [network.outside], datetime.now(UTC)).tls
        worker = deployment.worker()
        gateway = urlsplit(deployment.bucket.endpoint).port
        assert gateway is not None
        deployment.within = network.within
        with (
            watched_way(network.outside, gateway) as bucket,
            watched_way(network.outside, worker.port, tls) as edge,
        ):
            authority = certificates / AUTHORITY_FILE
            made = CutOffCommand(deployment, network, bucket, edge, worker, authority, recording)
            yield made
