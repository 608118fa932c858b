"""Takes exports on, knows those in the making, and finds those that are finished."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import Depends, Request

from stemset.api.exports import shelf
from stemset.api.exports.making import ExportState, Making, Wanted
from stemset.api.exports.names import export_name
from stemset.api.exports.shelf import Finished
from stemset.api.service import Service
from stemset.audio.formats import Depth, RecordingFormat
from stemset.audio.mix import Mix
from stemset.audio.mixdown_order import FileChoice, plan_mixdown
from stemset.errors import ExportNotFound, OutputInvalid, OutputNotFound, ServiceBusy, StemsetError
from stemset.jobs import outputs
from stemset.jobs.caller import Caller
from stemset.jobs.outputs import Contents
from stemset.telemetry import get_logger

FOLDER = "exports"
"""The shelf, below the scratch folder."""

_VERSION = 1
"""Of how mixes are made: another one gives other files, so other ids."""

_AT_ONCE = 2
_OPEN = 16
_FAILED_KEPT = 64
_UNASKED_S = 600.0
_ID_DIGITS = 32

if TYPE_CHECKING:
    from stemset.audio.encode import Encoding

_log = get_logger("api")


class Exports:
    """What the routes of exports share, one for each application."""

    def __init__(self, service: Service) -> None:
        """Begin with nothing under way.

        Args:
            service: What the process has.
        """
        self._service = service
        self._making: dict[str, Making] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @property
    def shelf(self) -> Path:
        """Where finished exports lie."""
        return self._service.scratch / FOLDER

    async def ask(self, contents: Contents, mix: Mix, choice: FileChoice) -> Making | Finished:
        """Ask for an export: the one that there is, or one that begins now.

        Raises:
            InvalidMix: The mix cannot be made of this output.
            UnsupportedFormat: The file's format cannot hold it.
            OutputInvalid: The output does not say how its stems are made.
            ServiceBusy: Too many others are open.
        """
        wanted = _wanted(contents, mix, choice)
        finished = await self._service.threads.run(shelf.find, self.shelf, wanted.export_id)
        if finished is not None:
            return finished
        making = self._making.get(wanted.export_id)
        if making is None or making.state is ExportState.ERROR:
            making = self._begin(wanted)
        making.asked_s = time.monotonic()
        return making

    async def get(self, export_id: str, caller: Caller) -> Making | Finished:
        """Look an export up. Raises ExportNotFound, also if it is of no profile of the caller's."""
        found = self._making.get(export_id) or await self._service.threads.run(
            shelf.find, self.shelf, export_id
        )
        if found is None or not caller.sees(_profile(found)):
            raise _none(export_id)
        if isinstance(found, Making):
            found.asked_s = time.monotonic()
        return found

    async def finished(self, export_id: str) -> Finished:
        """Look up an export whose file stands. Raises ExportNotFound."""
        found = await self._service.threads.run(shelf.find, self.shelf, export_id)
        if found is None:
            raise _none(export_id)
        return found

    async def drop(self, export_id: str, caller: Caller) -> None:
        """Remove an export, or end what makes it. Raises ExportNotFound."""
        found = await self.get(export_id, caller)
        if isinstance(found, Making):
            del self._making[export_id]
            if found.task is not None:
                found.task.cancel()
                await asyncio.wait({found.task})
        await self._service.threads.run(shelf.remove, self.shelf, export_id)

    def _begin(self, wanted: Wanted) -> Making:
        under_way = sum(each.state is not ExportState.ERROR for each in self._making.values())
        if under_way >= _OPEN:
            raise ServiceBusy(f"{under_way} exports are open; more are too many.")
        making = self._making[wanted.export_id] = Making(wanted)
        making.task = asyncio.create_task(self._make(making))
        return making

    async def _make(self, making: Making) -> None:
        export_id, output_id = making.wanted.export_id, making.wanted.output_id
        try:
            # From its first moment on the shelf says which output is in use (``outputs_in_use``).
            with shelf.making(self.shelf, export_id, output_id) as part:
                async with self._slots:
                    await making.run(self._service, self.shelf, part, _UNASKED_S)
        except StemsetError as error:
            making.fail(error)
            _log.error("Export failed", export_id=export_id, code=error.code, detail=str(error))
            self._forget_failures()
        else:
            _log.info("Export made", export_id=export_id, output_id=output_id)
        finally:
            if making.state is not ExportState.ERROR and self._making.get(export_id) is making:
                del self._making[export_id]

    def _forget_failures(self) -> None:
        failed = [key for key, each in self._making.items() if each.state is ExportState.ERROR]
        for key in failed[:-_FAILED_KEPT]:
            del self._making[key]


async def collect(service: Service) -> int:
    """Remove exports that are a day old, and those of outputs that were deleted.

    Returns:
        How many were removed.

    Raises:
        DatabaseError: What could not be removed now is so another time.
    """
    folder = service.scratch / FOLDER
    finished = await service.threads.run(lambda: list(shelf.all_finished(folder)))
    gone = set[str]()
    for output_id in {each.output_id for each in finished}:
        async with service.database.reading() as connection:
            try:
                await outputs.get(connection, output_id, None)
            except OutputNotFound:
                gone.add(output_id)
    return await service.threads.run(shelf.collect, folder, gone)


async def exports_of(request: Request) -> Exports:
    """The desk of the application that a request came to."""
    return cast("Exports", request.app.state.exports)


ExportsOf = Annotated[Exports, Depends(exports_of)]


def _none(export_id: str) -> ExportNotFound:
    return ExportNotFound(
        f"There is no export {export_id!r}: a finished one is kept for a day, one in the making "
        "ends with the service. Ask for the mix again."
    )


def _profile(found: Making | Finished) -> str:
    return found.wanted.folder.profile if isinstance(found, Making) else found.profile


def _wanted(contents: Contents, mix: Mix, choice: FileChoice) -> Wanted:
    """What is to be made; everything about it that can be refused is refused here."""
    stems: Mapping[str, Any] = contents.metadata["stems"]
    recording: Mapping[str, Any] = contents.metadata["recording"]
    mix.check_against(stems, recording["duration_s"])
    encoding = plan_mixdown(mix, _stem_format(contents.metadata), choice)
    end_s = recording["duration_s"] if mix.end_s is None else mix.end_s
    return Wanted(
        export_id=_export_id(contents, mix, choice),
        output_id=contents.output.id,
        folder=contents.folder,
        stems={name: stems[name]["stem_url"] for name in mix.stems},
        mix=mix,
        choice=choice,
        filename=export_name(
            contents.output.recording_name, list(stems), mix, encoding.format.suffix
        ),
        tags=recording.get("tags", {}),
        estimated_bytes=_estimated_bytes(encoding, (end_s - mix.start_s) / mix.speed),
    )


def _export_id(contents: Contents, mix: Mix, choice: FileChoice) -> str:
    """A hash of all that decides about the file."""
    facts = [_VERSION, contents.output.id, contents.folder.prefix, mix.as_json(), asdict(choice)]
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def _stem_format(metadata: Mapping[str, Any]) -> RecordingFormat:
    """What an output's metadata says of its stems. Raises OutputInvalid."""
    try:
        made = metadata["encoding"]
        return RecordingFormat(
            container=made["format"],
            codec=made["format"],
            rate_hz=made["rate_hz"],
            channels=tuple(made["channels"]),
            layout=made["layout"],
            depth=Depth(made["depth"] or Depth.F32),
            lossless=made["bitrate_kbps"] is None,
            frames=None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OutputInvalid("The output's metadata does not say how its stems are made.") from error


def _estimated_bytes(encoding: "Encoding", duration_s: float) -> int:
    if encoding.bitrate_kbps is not None:
        return int(duration_s * encoding.bitrate_kbps * 1000 / 8)
    bits = (encoding.depth or Depth.F32).bits
    return int(duration_s * encoding.rate_hz * len(encoding.channels) * bits / 8)
