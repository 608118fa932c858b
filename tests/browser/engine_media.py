"""Outputs for tests of the player's engine, and the server that gives them out.

Short ones are written as Stemset writes them. Long ones are one encoded minute, repeated: packets
are muxed again, so that every page is as in a file of three hours.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from stem_files import a_recording, noise, read, write_stem

from stemset.audio._ogg_index import OggIndex
from stemset.audio._sink import OutputFile
from stemset.audio.encode import StemWriter, plan_encoding
from stemset.audio.formats import Depth, OutputFormat
from stemset.serving.listening import listen_on, url_of

RATE_HZ = 48_000
_PACKET_FRAMES = 960
_MINUTE_PACKETS = 60 * RATE_HZ // _PACKET_FRAMES


@dataclass(frozen=True)
class Stem:
    """A stem's files in one folder.

    Attributes:
        name: Its name.
        path: What is played.
        index: The index of its pages, if it is Opus.
    """

    name: str
    path: Path
    index: Path | None

    @property
    def encoding(self) -> str:
        return self.path.suffix.removeprefix(".")


@dataclass(frozen=True)
class StemOutput:
    """Stems of one recording.

    Attributes:
        rate_hz: Their rate.
        frames: Their length.
        stems: In order.
    """

    rate_hz: int
    frames: int
    stems: tuple[Stem, ...]

    def samples(self) -> list[NDArray[np.float64]]:
        """What FFmpeg decodes of each stem, within ±1, of shape ``(channels, frames)``."""
        return [_decoded(stem.path) for stem in self.stems]


def short_output(
    folder: Path,
    output_format: OutputFormat,
    *,
    depth: Depth | None = None,
    seconds: float = 30,
    stems: int = 4,
    rate_hz: int = RATE_HZ,
    layout: str = "stereo",
    alike: bool = False,
) -> StemOutput:
    """Write stems of noise, each another unless they are to be alike."""
    encoding = plan_encoding(output_format, None, a_recording(rate_hz, layout), depth)
    frames = int(seconds * rate_hz) + 77
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(stems):
        samples = noise(encoding, frames, seed=0 if alike else number)
        if depth is Depth.S16:
            # Chromium divides what is positive by 32,767, so full scale is just one step off.
            samples = samples.clip(max=30_000)
        path, *others = write_stem(folder / f"stem{number}", encoding, samples, block=1 << 20)
        made.append(Stem(f"stem{number}", path, others[0] if others else None))
    return StemOutput(encoding.rate_hz, frames, tuple(made))


def long_output(folder: Path, output_format: OutputFormat, stems: int, minutes: int) -> StemOutput:
    """Stems of hours of noise, kept in a folder from one run to the next.

    Those of FLAC are one file under several addresses: they cannot be muxed from parts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_flac = output_format is OutputFormat.FLAC
    made = [
        replace(_long_stem(folder, output_format, 0 if is_flac else n, minutes), name=f"stem{n}")
        for n in range(stems)
    ]
    frames = minutes * 60 * RATE_HZ - RATE_HZ  # as much is there of all of them
    return StemOutput(RATE_HZ, frames, tuple(made))


def _long_stem(folder: Path, output_format: OutputFormat, number: int, minutes: int) -> Stem:
    path = folder / f"{minutes}-{number}"
    made = path.with_name(path.name + output_format.suffix)
    index = made.with_name(made.name + ".index.json")
    is_opus = output_format is OutputFormat.OPUS
    if not made.exists():
        unfinished = path.with_name(f"unfinished-{path.name}")
        written = (_repeated_opus if is_opus else _repeated_flac)(unfinished, number, minutes)
        for file, place in zip(written[::-1], [index, made] if is_opus else [made], strict=True):
            file.rename(place)
    return Stem(f"stem{number}", made, index if is_opus else None)


def _repeated_opus(path: Path, number: int, minutes: int) -> list[Path]:
    encoding = plan_encoding(OutputFormat.OPUS, None, a_recording())
    samples = noise(encoding, 61 * RATE_HZ, seed=number)
    minute, minute_index = write_stem(path.with_name(f"{path.name}-minute"), encoding, samples)
    made = path.with_name(path.name + ".opus")
    output, pages = OutputFile(made), OggIndex()
    output.watch = pages.feed
    with (
        av.open(str(minute)) as source,
        av.open(
            output, "w", format="ogg", container_options={"page_duration": "1000000"}
        ) as target,
    ):
        stream = target.add_stream_from_template(source.streams.audio[0])
        packets = [bytes(packet) for packet in source.demux(audio=0) if packet.size]
        for turn in range(minutes):
            for place, data in enumerate(packets[:_MINUTE_PACKETS]):
                packet = av.Packet(data)
                packet.pts = packet.dts = (turn * _MINUTE_PACKETS + place) * _PACKET_FRAMES
                packet.duration = _PACKET_FRAMES
                packet.time_base = Fraction(1, RATE_HZ)
                packet.stream = stream
                target.mux(packet)
    output.close()
    minute.unlink()
    minute_index.unlink()
    index = made.with_name(made.name + ".index.json")
    index.write_text(json.dumps(pages.as_json()))
    return [made, index]


def _repeated_flac(path: Path, number: int, minutes: int) -> list[Path]:
    """Noise at a level that makes the file as large as one of music: about 700 kbit/s."""
    encoding = plan_encoding(OutputFormat.FLAC, None, a_recording(depth=Depth.S16))
    rng = np.random.default_rng(number)
    minute = rng.integers(-64, 64, (2, 60 * RATE_HZ), dtype=np.int32)
    frames = minutes * minute.shape[1]
    with StemWriter(path, encoding, expected_frames=frames) as writer:
        for _ in range(minutes):
            writer.write(minute)
    return list(writer.close())


def _decoded(path: Path) -> NDArray[np.float64]:
    decoded = read(path)
    if decoded.samples.dtype == np.float32:
        return decoded.samples.astype(np.float64)
    bits = {"pcm_s16le": 16, "pcm_s24le": 24, "pcm_s32le": 32}.get(decoded.codec)
    if bits is None:  # FLAC tells by what it holds
        with av.open(str(path)) as file:
            bits = 16 if file.streams.audio[0].codec_context.format.packed.name == "s16" else 24
    return decoded.samples / 2.0 ** (bits - 1)


@dataclass
class MediaServer:
    """Gives files out in parts, and notes how.

    Attributes:
        url: Its address.
        valid: What addresses must hold to be answered; others have ended.
        troubles: How many of the next requests for media are refused as in passing.
        answered: The statuses of what was answered, in order.
    """

    page: Path
    url: str = ""
    valid: str = "first"
    troubles: int = 0
    answered: list[int] = field(default_factory=list)
    _files: dict[str, Path] = field(default_factory=dict)
    _descriptions: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def describe(self, output: StemOutput, name: str = "output") -> dict[str, Any]:
        """What the page needs to open an output."""
        self._descriptions[name] = {
            "rateHz": output.rate_hz,
            "frames": output.frames,
            "stems": [
                {
                    "name": stem.name,
                    "encoding": stem.encoding,
                    "file": self._file(stem.path),
                    "index": self._file(stem.index) if stem.index else None,
                }
                for stem in output.stems
            ],
            "renewUrl": f"{self.url}/outputs/{name}",
        }
        return self._addressed(name)

    def publish(self, path: Path) -> str:
        """The address of a file."""
        return self._file(path)["url"] + f"?key={self.valid}"

    def _file(self, path: Path) -> dict[str, Any]:
        name = f"{len(self._files)}-{path.name}"
        self._files[name] = path
        return {"url": f"{self.url}/media/{name}", "bytes": path.stat().st_size}

    def _addressed(self, name: str) -> dict[str, Any]:
        addressed = json.loads(json.dumps(self._descriptions[name]))
        for stem in addressed["stems"]:
            for file in (stem["file"], stem["index"]):
                if file:
                    file["url"] += f"?key={self.valid}"
        return addressed

    async def _media(self, request: Request) -> Response:
        if self.troubles:
            self.troubles -= 1
            return self._noted(Response(status_code=503))
        if request.query_params["key"] != self.valid:
            return self._noted(JSONResponse({"error": {"code": "link_expired"}}, 403))
        return FileResponse(self._files[request.path_params["name"]])

    def _noted(self, response: Response) -> Response:
        self.answered.append(response.status_code)
        return response

    async def _output(self, request: Request) -> Response:
        return JSONResponse(self._addressed(request.path_params["name"]))

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/media/{name}", self._media),
                Route("/outputs/{name}", self._output),
            ]
        )


@contextmanager
def media_server(page: Path) -> Iterator[MediaServer]:
    """Serve the built page and what is published, on a free port of loopback."""
    server = MediaServer(page)
    app = server.app()
    app.mount("/", StaticFiles(directory=page, html=True))
    listener = listen_on("127.0.0.1", 0)
    server.url = url_of(listener)
    running = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    )
    thread = threading.Thread(target=running.run, args=([listener],), name="media")
    thread.start()
    try:
        yield server
    finally:
        running.should_exit = True
        thread.join()
        listener.close()


def planar(samples: Sequence[NDArray[np.float64]], start: int, frames: int) -> bytes:
    """Some frames of all stems as 32-bit floats, one channel after the other; mono twice."""
    channels = [stem[channel, start : start + frames] for stem in samples for channel in (0, -1)]
    return np.concatenate(channels).astype("<f4").tobytes()
