"""A running service with recordings and outputs in it."""

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
from service_client import WITHIN_S, RunningService
from standing_stems import STEMS, World, completed, found, note_upload, put_input, request

from stemset.jobs.job import Job
from stemset.jobs.recordings import Found
from stemset.storage.keys import AttemptFolder


def world_of(running: RunningService) -> World:
    service = running.service
    return World(service.database, service.store, service.threads)


def make_recording(running: RunningService, number: int = 1, profile: str = "h4n") -> Found:
    """A recording that was uploaded."""
    recording = found(number)
    put_input(running.service.store, recording)
    running.run(lambda: note_upload(world_of(running), recording, profile))
    return recording


def make_output(
    running: RunningService,
    recording: Found,
    profile: str = "h4n",
    stems: Mapping[str, bytes] = STEMS,
) -> tuple[Job, str]:
    """A complete job and the id of its output."""
    wanted = request(recording, profile)
    return running.run(lambda: completed(world_of(running), wanted, recording, stems))


def await_that(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def folder_of(job: Job) -> AttemptFolder:
    return AttemptFolder(job.profile, job.output_name, str(job.attempt))


def open_connection(running: RunningService, path: str) -> socket.socket:
    """Ask for a file, and take nothing of it yet."""
    at = httpx.URL(running.url)
    connection = socket.create_connection((at.host, at.port or 0), timeout=20)
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {at.host}:{at.port}\r\n\r\n".encode())
    return connection


def is_open(file: Path) -> bool:
    """Whether this process, in which the service runs, has a file open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if descriptor.readlink() == file:
                return True
        except OSError:
            continue
    return False
