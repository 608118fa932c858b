"""One export in the making: its stems fetched, its process followed, its file put on the shelf."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from stemset.api.exports import shelf
from stemset.api.exports.shelf import Finished
from stemset.api.service import Service
from stemset.api.uploads.spool import check_space
from stemset.audio.mix import Mix
from stemset.audio.mixdown_order import FileChoice, work_order
from stemset.errors import ComputingCrashed, StemsetError, error_from
from stemset.storage.keys import AttemptFolder

_PROGRAM = "stemset.audio.mixdown_process"
_FIRST_ETA_S = 1.0


class ExportState(StrEnum):
    """Where an export is."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An export that is asked for.

    Attributes:
        export_id: Its id.
        output_id: The output.
        folder: Where the stems lie.
        stems: The file of each stem that is heard.
        mix: The mix.
        choice: What file.
        filename: What it is saved as.
        tags: Title, artist and so on.
        estimated_bytes: Length of the file, about.
    """

    export_id: str
    output_id: str
    folder: AttemptFolder
    stems: Mapping[str, str]
    mix: Mix
    choice: FileChoice
    filename: str
    tags: Mapping[str, str]
    estimated_bytes: int


@dataclass(slots=True)
class Making:
    """An export in the making, or one that failed.

    Attributes:
        wanted: What is made.
        state: Where it is.
        progress: How much is done, 0 to 1.
        error: Why it failed.
        asked_s: When somebody last asked for it, on the monotonic clock.
        task: What makes it.
    """

    wanted: Wanted
    state: ExportState = ExportState.QUEUED
    progress: float = 0.0
    error: StemsetError | None = None
    asked_s: float = field(default_factory=time.monotonic)
    task: asyncio.Task[None] | None = None
    _began_s: float = 0.0

    @property
    def eta_s(self) -> float | None:
        """Time left in seconds, None while it is not known."""
        spent_s = time.monotonic() - self._began_s
        if self.state is not ExportState.RUNNING or not self.progress or spent_s < _FIRST_ETA_S:
            return None
        return spent_s * (1 - self.progress) / self.progress

    def fail(self, error: StemsetError) -> None:
        """It cannot be made."""
        self.state, self.error = ExportState.ERROR, error

    async def run(self, service: Service, folder: Path, part: Path, unasked_s: float) -> None:
        """Make it.

        Args:
            service: What routes have.
            folder: The shelf.
            part: The folder on it to make it in.
            unasked_s: It is given up when nobody asked for it for so long.

        Raises:
            StemsetError: It cannot be made.
            asyncio.CancelledError: Nobody wants it any more.
        """
        self.state, self._began_s = ExportState.RUNNING, time.monotonic()
        check_space(folder, self.wanted.estimated_bytes)
        stems = await self._fetch(service, part)
        made = await self._mix(service, stems, part / "mix", unasked_s)
        await service.threads.run(self._put, folder, part, made)

    def _put(self, folder: Path, part: Path, made: Mapping[str, Any]) -> None:
        """Put the file on the shelf."""
        path = Path(made["path"])
        finished = Finished(
            export_id=self.wanted.export_id,
            output_id=self.wanted.output_id,
            profile=self.wanted.folder.profile,
            filename=self.wanted.filename,
            file=path.name,
            bytes=path.stat().st_size,
            duration_s=made["frames"] / made["rate_hz"],
            lowered_db=made["lowered_db"],
            made_at=time.time(),
        )
        shelf.put(folder, part, finished)

    async def _fetch(self, service: Service, part: Path) -> dict[str, Path]:
        """The stems as files: a store's folder has them, from a bucket they are fetched."""
        keys = {name: self.wanted.folder.key(file) for name, file in self.wanted.stems.items()}
        if service.store_settings.kind == "folder":
            return {name: Path(service.store_settings.bucket) / key for name, key in keys.items()}
        paths = {name: part / f"stem-{number}" for number, name in enumerate(keys)}
        for name, key in keys.items():
            info = await service.threads.run(service.store.head, key)
            check_space(part, info.bytes)
            await service.threads.move(
                lambda told, key=key, path=paths[name]: service.store.download(
                    key, path, on_bytes=told
                ),
                lambda _: None,
            )
        return paths

    async def _mix(
        self, service: Service, stems: dict[str, Path], target: Path, unasked_s: float
    ) -> dict[str, Any]:
        """Let the process work, and follow it to its end."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", _PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            order = work_order(
                self.wanted.mix,
                stems,
                target,
                self.wanted.choice,
                tags=dict(self.wanted.tags),
                max_duration_s=service.settings.max_duration_s,
            )
            return await self._follow(process, order, unasked_s)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _follow(
        self, process: asyncio.subprocess.Process, order: bytes, unasked_s: float
    ) -> dict[str, Any]:
        if process.stdin is None or process.stdout is None:
            raise ComputingCrashed("The mixing process has no pipes.")
        process.stdin.write(order)
        process.stdin.close()
        async for line in process.stdout:
            match json.loads(line):
                case {"progress": float() | int() as progress}:
                    self.progress = progress
                case {"mixdown": dict() as made}:
                    return made
                case {"error": {"code": code, "detail": detail}}:
                    raise error_from(code, detail)
            if time.monotonic() - self.asked_s > unasked_s:
                raise asyncio.CancelledError
        raise ComputingCrashed("The process that mixes ended without an answer.")
