"""Input files: ordinary, odd and bad ones, each written on the spot.

``CORPUS`` maps a file name to how it is written and to the code of the error that it must lead to,
None for a file that must be decoded to its end; ``write`` puts one into a folder. The functions
before the table make files of given samples, which have the shape ``(channels, frames)``.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

RATE_HZ = 48_000
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
SPEAKER_MASKS = {1: 0x4, 2: 0x3, 6: 0x3F, 8: 0x63F}
WAV_KINDS = {"u8": 8, "16": 16, "24": 24, "32": 32, "32f": 32, "64f": 64}
UNKNOWN_32 = 0xFFFFFFFF


@dataclass(frozen=True)
class Case:
    """A file of the corpus.

    Attributes:
        write: Writes it to a path.
        code: Code of the error that decoding it leads to; None if it is decoded to its end.
        warning: Words of a warning that must be given.
        limit_s: Duration limit under which ``code`` is meant; None for the default.
    """

    write: Callable[[Path], object]
    code: str | None = None
    warning: str = ""
    limit_s: float | None = None


def write(name: str, folder: Path) -> Path:
    """Write a file of the corpus into a folder, and return its path."""
    path = folder / name
    CORPUS[name].write(path)
    return path


# ---- samples


def tones(channels: int = 2, frames: int = RATE_HZ, bits: int = 16) -> NDArray[np.int64]:
    """Return integers of a depth: a tone of its own in every channel, and the extremes."""
    full = 2 ** (bits - 1)
    phase = np.arange(frames) / RATE_HZ * 2 * np.pi
    samples = np.stack([np.sin(phase * (220 + 110 * channel)) for channel in range(channels)])
    integers = np.round(0.4 * full * samples).astype(np.int64)
    integers[:, 0] = -full
    integers[:, -1] = full - 1
    return integers


# ---- WAV, by hand


def chunk(name: bytes, content: bytes, size: int | None = None, order: str = "<") -> bytes:
    """Return a RIFF chunk; ``size`` is what its header says if that is not the truth."""
    said = len(content) if size is None else size
    return name + struct.pack(order + "I", said) + content + b"\0" * (len(content) % 2)


def wav_format(
    channels: int, kind: str, rate_hz: int = RATE_HZ, mask: int | None = None, order: str = "<"
) -> bytes:
    """Return the content of a ``fmt`` chunk, the extensible one if there is a speaker mask."""
    bits, tag = WAV_KINDS[kind], 3 if kind.endswith("f") else 1
    frame_bytes = channels * bits // 8
    byte_rate = min(rate_hz * frame_bytes, UNKNOWN_32)
    fields = channels, rate_hz, byte_rate, frame_bytes % 2**16, bits
    if mask is None:
        return struct.pack(order + "HHIIHH", tag, *fields)
    guid = struct.pack("<HHHH8s", tag, 0, 0, 0x10, bytes.fromhex("800000aa00389b71"))
    return struct.pack("<HHIIHHHHI", 0xFFFE, *fields, 22, bits, mask) + guid


def wav_data(samples: NDArray[Any], kind: str, order: str = "<") -> bytes:
    """Return samples, integers of the kind's depth or floats, as they lie in a WAV file."""
    interleaved = np.ascontiguousarray(samples.T)
    match kind:
        case "u8":
            return (interleaved + 128).astype(np.uint8).tobytes()
        case "24":
            four = interleaved.astype(order + "i4").view(np.uint8).reshape(-1, 4)
            return (four[:, :3] if order == "<" else four[:, 1:]).tobytes()
        case _:
            letter = "f" if kind.endswith("f") else "i"
            return interleaved.astype(f"{order}{letter}{WAV_KINDS[kind] // 8}").tobytes()


def wav(path: Path, samples: NDArray[Any], kind: str = "16", **header: Any) -> None:
    """Write a WAV file."""
    data = wav_data(samples, kind)
    path.write_bytes(riff(wav_format(len(samples), kind, **header), data))


def riff(
    fmt: bytes, data: bytes, *, size: int | None = None, data_size: int | None = None
) -> bytes:
    """Return a WAV file of a format and data; the sizes are what its headers say."""
    content = b"WAVE" + chunk(b"fmt ", fmt) + chunk(b"data", data, data_size)
    return chunk(b"RIFF", content, size)


def rf64(fmt: bytes, data: bytes, *, data_bytes: int | None = None) -> bytes:
    """Return an RF64 file, whose sizes are 64 bits wide."""
    said = len(data) if data_bytes is None else data_bytes
    sizes = struct.pack("<QQQI", said + 72, said, 0, 0)
    content = b"WAVE" + chunk(b"ds64", sizes) + chunk(b"fmt ", fmt)
    return chunk(b"RF64", content + chunk(b"data", data, UNKNOWN_32), UNKNOWN_32)


# ---- everything else, with FFmpeg


def encode(
    target: Path | io.BytesIO,
    samples: NDArray[np.int64],
    codec: str,
    container: str,
    *,
    bits: int = 24,
    rate_hz: int = RATE_HZ,
    options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    tracks: int = 1,
) -> None:
    """Write samples of ``bits`` with a codec into a container, ``tracks`` times over."""
    destination = str(target) if isinstance(target, Path) else target
    with av.open(destination, "w", format=container, options=options or {}) as file:
        file.metadata.update(tags or {})
        streams = [add_track(file, codec, len(samples), bits, rate_hz) for _ in range(tracks)]
        for number, stream in enumerate(streams):
            frame = packed_frame(samples // (number + 1), bits, rate_hz)
            for part in (frame, None):
                file.mux(stream.encode(part))


def add_track(file: OutputContainer, codec: str, channels: int, bits: int, rate_hz: int) -> Any:
    """Add an audio track; which sample formats an encoder takes is its own."""
    strict = {"strict": "experimental"} if codec == "vorbis" else {}
    stream: Any = file.add_stream(codec, rate=rate_hz, layout=LAYOUTS[channels], options=strict)
    offered = {form.name for form in av.Codec(codec, "w").audio_formats or ()}
    wanted = "s16" if bits == WAV_KINDS["16"] else "s32"
    stream.format = next(iter(offered & {wanted, wanted + "p"} or offered))
    return stream


def packed_frame(samples: NDArray[np.int64], bits: int, rate_hz: int) -> av.AudioFrame:
    """Return interleaved samples as a frame, left-aligned as FFmpeg has them."""
    wide = bits > WAV_KINDS["16"]
    integers: Any = (samples << 32 - bits).astype(np.int32) if wide else samples.astype(np.int16)
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(integers.T.reshape(1, -1)),
        format="s32" if wide else "s16",
        layout=LAYOUTS[len(samples)],
    )
    frame.rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
    return frame


def video(path: Path, *, audio: bool) -> None:
    """Write a second of video, with or without an audio track."""
    with av.open(str(path), "w", format="mp4") as file:
        picture: Any = file.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = add_track(file, "aac", 2, 24, RATE_HZ) if audio else None
        for number in range(10):
            still = av.VideoFrame(64, 48, "yuv420p")
            still.pts, still.time_base = number, Fraction(1, 10)
            file.mux(picture.encode(still))
        file.mux(picture.encode(None))
        if sound is not None:
            for part in (packed_frame(tones(bits=24), 24, RATE_HZ), None):
                file.mux(sound.encode(part))


def encoded(codec: str, container: str, seconds: int = 1, rate_hz: int = RATE_HZ) -> bytes:
    """Return some seconds of tones, as a file's bytes."""
    memory = io.BytesIO()
    samples = tones(frames=seconds * rate_hz, bits=24)
    encode(memory, samples, codec, container, rate_hz=rate_hz)
    return memory.getvalue()


def at_two_rates(codec: str, container: str, first_hz: int, then_hz: int) -> bytes:
    """Return a file whose rate changes after two seconds."""
    return encoded(codec, container, 2, first_hz) + encoded(codec, container, 2, then_hz)


def with_art(path: Path, art_bytes: int) -> None:
    """Write an MP3 with a tag that holds a picture of a size."""

    def frame(name: bytes, content: bytes) -> bytes:
        return name + sync_safe(len(content)) + b"\0\0" + content

    def sync_safe(number: int) -> bytes:
        return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))

    noise = np.random.default_rng(1).bytes(2**20)
    title, head = frame(b"TIT2", b"\3Title"), b"\0image/jpeg\0\3\0\xff\xd8\xff\xe0"
    picture = b"APIC" + sync_safe(len(head) + art_bytes) + b"\0\0" + head
    with path.open("wb") as file:
        file.write(b"ID3\4\0\0" + sync_safe(len(title + picture) + art_bytes) + title + picture)
        for start in range(0, art_bytes, len(noise)):
            file.write(noise[: art_bytes - start])
        file.write(encoded("mp3", "mp3"))


def silent_flac(path: Path, *, seconds: int, said_frames: int | None = None) -> None:
    """Write silence, 8 kHz mono, in as few bytes as FLAC can: RFC 9639, sections 8 and 9."""
    rate_hz, block = 8_000, 65_535
    blocks = -(-seconds * rate_hz // block)
    total = blocks * block if said_frames is None else said_frames
    info = struct.pack(">HH6xQ16x", block, block, rate_hz << 44 | 15 << 36 | total)
    frames = (silent_flac_frame(number) for number in range(blocks))
    path.write_bytes(b"fLaC" + b"\x80\0\0\x22" + info + b"".join(frames))


def track_on_the_way() -> bytes:
    """Return a transport stream with a packet that begins a track which nothing announced."""
    stream = bytearray(encoded("aac", "mpegts"))
    begins = [at for at in range(0, len(stream), 188) if stream[at + 1] == 0x41]
    stream[begins[len(begins) // 2] + 1] ^= 0x10  # 0x0100, the track's number, becomes 0x1100
    return bytes(stream)


def rate_unsaid() -> bytes:
    """Return a FLAC whose frames alone have a rate, and which is damaged in front of them."""
    info = struct.pack(">HH6xQ16x", 65_535, 65_535, 15 << 36 | 3 * 65_535)
    frames = b"".join(silent_flac_frame(number) for number in range(3))
    return b"fLaC" + b"\x80\0\0\x22" + info + b"\1" * 500 + frames


def silent_flac_frame(number: int) -> bytes:
    """Return a FLAC frame of 65,535 equal samples."""
    head = bytes.fromhex("fff87408") + coded_number(number) + struct.pack(">H", 65_535 - 1)
    head += bytes([crc(head, 0x07, 8)])
    body = head + b"\0\0\0"
    return body + struct.pack(">H", crc(body, 0x8005, 16))


def coded_number(number: int) -> bytes:
    """Return a number below 2^16 in the manner of UTF-8, which has no surrogates here."""
    return chr(number).encode("utf-8", "surrogatepass")


def crc(data: bytes, polynomial: int, bits: int) -> int:
    """Return a cyclic redundancy check, the first bit first, from 0."""
    register, top = 0, 1 << (bits - 1)
    for byte in data:
        register ^= byte << (bits - 8)
        for _ in range(8):
            register = (register << 1 ^ (polynomial if register & top else 0)) & (2 * top - 1)
    return register


# ---- damage


def cut(content: bytes, share: float = 0.6) -> bytes:
    """Return the beginning of a file."""
    return content[: int(len(content) * share)]


def scratched(content: bytes, places: Iterable[float], length: int = 200) -> bytes:
    """Return a file with some bytes inverted at some places, given as shares of its length."""
    scratches = bytearray(content)
    for place in places:
        start = int(len(content) * place)
        scratches[start : start + length] = bytes(
            byte ^ 0xFF for byte in scratches[start : start + length]
        )
    return bytes(scratches)


def with_id3v1(content: bytes) -> bytes:
    """Return a file with the old 128-byte tag at its end, which many taggers leave there."""
    return content + b"TAG" + b"Title".ljust(125, b"\0")


# ---- writers of whole files


def made(content: Callable[[], bytes]) -> Callable[[Path], object]:
    """Return a writer of what a function returns."""
    return lambda path: path.write_bytes(content())


def text(content: str) -> Callable[[Path], object]:
    """Return a writer of a text."""
    return made(content.encode)


def referring(content: str) -> Callable[[Path], object]:
    """Return a writer of a text that names a real recording beside it: ``second.wav``."""

    def write_both(path: Path) -> None:
        wav(path.with_name("second.wav"), tones())
        path.write_text(content)

    return write_both


def pcm(
    header: Callable[..., bytes] | None = None, seconds: int = 1, **said: int
) -> Callable[[Path], object]:
    """Return a writer of 16-bit stereo in a WAV file whose header says what it is told to."""
    fmt = wav_format(2, "16")
    return made(lambda: (header or riff)(fmt, wav_data(tones(), "16") * seconds, **said))


def claiming(channels: int = 2, rate_hz: int = RATE_HZ) -> Callable[[Path], object]:
    """Return a writer of a WAV file that claims some channels and a rate."""
    return made(lambda: riff(wav_format(channels, "16", rate_hz), bytes(65_536)))


def floats_with(value: float, kind: str = "32f") -> Callable[[Path], object]:
    """Return a writer of a WAV file in which frame 99 of the second channel has a value."""

    def write_floats(path: Path) -> None:
        samples = tones(bits=24) / 2**23
        samples[1, 99] = value
        wav(path, samples, kind)

    return write_floats


def noise(seed: int, size: int = 60_000) -> bytes:
    """Return random bytes."""
    return np.random.default_rng(seed).bytes(size)


def zipped() -> bytes:
    """Return a ZIP archive."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("song.wav", riff(wav_format(2, "16"), bytes(4000)))
    return memory.getvalue()


def empty_then_list() -> bytes:
    """Return a WAV file without samples, but with bytes behind where they would be."""
    content = chunk(b"fmt ", wav_format(2, "16")) + chunk(b"data", b"")
    return chunk(b"RIFF", b"WAVE" + content + chunk(b"LIST", b"INFOISFT" + bytes(4000)))


def endless_chunk() -> bytes:
    """Return a Wave64 file whose first chunk ends beyond every position that a file can have."""
    content = encoded("pcm_s24le", "w64")
    size = content.index(b"fmt ") + 16
    return content[:size] + struct.pack("<Q", 2**64 - 1) + content[size + 8 :]


def big_endian() -> bytes:
    """Return a RIFX file."""
    fmt = chunk(b"fmt ", wav_format(2, "16", order=">"), order=">")
    data = chunk(b"data", wav_data(tones(), "16", ">"), order=">")
    return chunk(b"RIFX", b"WAVE" + fmt + data, order=">")


def indexed_first(path: Path, codec: str = "aac", share: float = 1.0, **options: str) -> None:
    """Write 5 s of MP4 whose index comes first, or the beginning of it."""
    samples = tones(frames=5 * RATE_HZ, bits=24)
    encode(path, samples, codec, "mp4", options={"movflags": "faststart", **options})
    path.write_bytes(cut(path.read_bytes(), share))


def tagged(path: Path) -> None:
    """Write a FLAC with a title, an escape sequence, 100 notes, and a comment of 10,000 letters."""
    notes = {f"NOTE{number}": "x" for number in range(100)}
    tags = {"TITLE": "Ünïcode", "ARTIST": "a\x1b[2Jb\r\nc", "COMMENT": "y" * 10_000, **notes}
    encode(path, tones(bits=24), "flac", "flac", tags=tags)


def unknown_codec(path: Path) -> None:
    """Write an FLV with a codec that is none of ours."""
    encode(path, tones(1, bits=16), "nellymoser", "flv", bits=16, rate_hz=44_100)


# ---- the table

UNFINISHED = "never finished"
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=x
c=IN IP4 127.0.0.1
t=0 0
m=audio 5004 RTP/AVP 0
"""
DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>second.wav</BaseURL></Period></MPD>
"""
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecond.wav\n#EXT-X-ENDLIST\n"
ENCRYPTION = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "00112233445566778899aabbccddeeff",
}

NO_AUDIO = {
    "empty.wav": Case(text(""), "input_empty"),
    "html.wav": Case(text("<!DOCTYPE html>\n<title>404</title>\n" * 50), "audio_unsupported"),
    "text.wav": Case(text("Ten songs that we must practise.\n" * 50), "audio_unsupported"),
    "zip.wav": Case(made(zipped), "audio_unsupported"),
    "random.wav": Case(made(lambda: noise(3)), "audio_unsupported"),
    "random.mp3": Case(made(lambda: noise(5)), "audio_unsupported"),
    "random-riff.wav": Case(made(lambda: b"RIFF\xff\xff\0\0WAVE" + noise(4)), "audio_unsupported"),
    "picture.png": Case(made(lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "audio_unsupported"),
    "video-only.mp4": Case(partial(video, audio=False), "audio_no_track"),
    "encrypted.m4a": Case(partial(indexed_first, **ENCRYPTION), "audio_no_track"),
    "purchased.m4a": Case(
        made(lambda: encoded("aac", "mp4").replace(b"mp4a", b"drms")), "audio_no_track"
    ),
    "unknown-codec.flv": Case(unknown_codec, "audio_no_track"),
}
"""Files of other kinds, and media without a track that can be decoded."""

REFERRING = {
    "ffconcat.wav": Case(referring("ffconcat version 1.0\nfile second.wav\n"), "audio_unsupported"),
    "hls.wav": Case(referring(HLS), "audio_unsupported"),
    "dash.wav": Case(referring(DASH), "audio_unsupported"),
    "sdp.wav": Case(text(SDP), "audio_unsupported"),
    "pattern-%03d.wav": Case(referring("second.wav\n"), "audio_unsupported"),
}
"""Texts that would make FFmpeg open another file or a socket."""

LYING = {
    "no-samples.wav": Case(pcm(seconds=0), "input_empty"),
    "no-samples-then-list.wav": Case(made(empty_then_list), "input_empty"),
    "0-channels.wav": Case(claiming(channels=0), "audio_channels"),
    "9-channels.wav": Case(claiming(channels=9), "audio_channels"),
    "65535-channels.wav": Case(claiming(channels=65_535), "audio_channels"),
    "0-hz.wav": Case(claiming(rate_hz=0), "audio_rate"),
    "7999-hz.wav": Case(claiming(rate_hz=7_999), "audio_rate"),
    "384-khz.wav": Case(claiming(rate_hz=384_000), "audio_rate"),
    "4-ghz.wav": Case(claiming(rate_hz=UNKNOWN_32), "audio_rate"),
    "data-too-long.wav": Case(pcm(data_size=1_000_000), "audio_truncated"),
    "data-of-5-gb.wav": Case(pcm(rf64, data_bytes=5 * 10**9), "audio_truncated"),
    "chunk-of-2^63.w64": Case(made(endless_chunk), "audio_unsupported"),
    "13-hours.flac": Case(partial(silent_flac, seconds=13 * 3600), "audio_too_long"),
    "10-hours.flac": Case(partial(silent_flac, seconds=36_000), "audio_too_long", limit_s=3600),
    "10-hours-unsaid.flac": Case(
        partial(silent_flac, seconds=36_000, said_frames=0), "audio_too_long", limit_s=3600
    ),
    "10-hours-denied.flac": Case(
        partial(silent_flac, seconds=36_000, said_frames=8_000), "audio_too_long", limit_s=3600
    ),
    "2-seconds-unsaid.wav": Case(pcm(seconds=2, size=0, data_size=0), "audio_too_long", limit_s=1),
}
"""Headers that lie, or ask for too much."""

DAMAGED = {
    "cut.wav": Case(made(lambda: cut(riff(wav_format(2, "16"), bytes(9000)))), "audio_truncated"),
    "cut.w64": Case(made(lambda: cut(encoded("pcm_s24le", "w64"))), "audio_truncated"),
    "cut.aiff": Case(made(lambda: cut(encoded("pcm_s24be", "aiff"))), "audio_truncated"),
    "cut.caf": Case(made(lambda: cut(encoded("pcm_s24le", "caf"))), "audio_truncated"),
    "cut.au": Case(made(lambda: cut(encoded("pcm_s16be", "au"))), "audio_truncated"),
    "cut.flac": Case(made(lambda: cut(encoded("flac", "flac"))), "audio_truncated"),
    "cut.wv": Case(made(lambda: cut(encoded("wavpack", "wv"))), "audio_truncated"),
    "cut.tta": Case(made(lambda: cut(encoded("tta", "tta"))), "audio_truncated"),
    "cut.mka": Case(made(lambda: cut(encoded("flac", "matroska", 10))), "audio_truncated"),
    "cut.m4a": Case(partial(indexed_first, share=0.6), "audio_truncated"),
    "cut-alac.m4a": Case(partial(indexed_first, codec="alac", share=0.6), "audio_truncated"),
    "cut-before-its-index.m4a": Case(made(lambda: cut(encoded("aac", "mp4"))), "audio_unsupported"),
    "cut-in-its-header.flac": Case(made(lambda: encoded("flac", "flac")[:40]), "audio_unsupported"),
    "nan.wav": Case(floats_with(np.nan), "audio_not_finite"),
    "infinite.wav": Case(floats_with(-np.inf), "audio_not_finite"),
    "nan-64.wav": Case(floats_with(np.nan, "64f"), "audio_not_finite"),
    "scratched.flac": Case(
        made(lambda: scratched(encoded("flac", "flac"), [0.5])), "audio_corrupt"
    ),
    "scratched.wv": Case(
        made(lambda: scratched(encoded("wavpack", "wv", 10), [0.3])), "audio_corrupt"
    ),
    "scratched-everywhere.mp3": Case(
        made(lambda: scratched(encoded("mp3", "mp3", 10), np.linspace(0.02, 0.98, 300), 60)),
        "audio_corrupt",
    ),
    "rate-doubled.aac": Case(
        made(lambda: at_two_rates("aac", "adts", 48_000, 96_000)), "audio_corrupt"
    ),
    "rate-lowered.mp3": Case(
        made(lambda: at_two_rates("mp3", "mp3", 48_000, 44_100)), "audio_corrupt"
    ),
    "rate-unsaid.flac": Case(made(rate_unsaid), "audio_corrupt"),
    "rate-raised.flac": Case(
        made(lambda: at_two_rates("flac", "flac", 8_000, 192_000)), "audio_corrupt"
    ),
}
"""Recordings that were cut off or hurt, or change on the way."""

ODD = {
    **{
        f"{kind}.wav": Case(partial(wav, samples=tones(bits=WAV_KINDS[kind]), kind=kind))
        for kind in ("u8", "16", "24", "32")
    },
    "32f.wav": Case(floats_with(1.5)),
    "64f.wav": Case(floats_with(1.5, "64f")),
    "8-khz.wav": Case(partial(wav, samples=tones(), rate_hz=8_000)),
    "44.1-khz.wav": Case(partial(wav, samples=tones(), rate_hz=44_100)),
    "192-khz.wav": Case(partial(wav, samples=tones(), rate_hz=192_000)),
    "mono.wav": Case(partial(wav, samples=tones(1))),
    "6-channels.wav": Case(partial(wav, samples=tones(6), mask=SPEAKER_MASKS[6])),
    "8-channels.wav": Case(partial(wav, samples=tones(8), mask=SPEAKER_MASKS[8])),
    "4-unnamed-channels.wav": Case(partial(wav, samples=tones(4)), warning="FL FR BL BR"),
    "1-sample.wav": Case(partial(wav, samples=np.array([[1], [-1]]))),
    "silence.wav": Case(partial(wav, samples=np.zeros((2, RATE_HZ), np.int64))),
    "offset.wav": Case(partial(wav, samples=np.full((2, RATE_HZ), 9_000))),
    "big-endian.wav": Case(made(big_endian)),
    "rf64.wav": Case(pcm(rf64)),
    "riff-too-short.wav": Case(pcm(size=17)),
    "unfinished-zero.wav": Case(pcm(size=0, data_size=0), warning=UNFINISHED),
    "unfinished-ones.wav": Case(pcm(size=UNKNOWN_32, data_size=UNKNOWN_32), warning=UNFINISHED),
    "unfinished-pipe.wav": Case(pcm(size=0x7FFFF024, data_size=0x7FFFF000), warning=UNFINISHED),
    "unfinished-empty.wav": Case(pcm(size=36, data_size=0), warning=UNFINISHED),
    "unfinished-half-frame.wav": Case(
        made(lambda: riff(wav_format(2, "16"), bytes(4001), size=0, data_size=0)),
        warning=UNFINISHED,
    ),
    "unfinished-old-header.wav": Case(
        pcm(seconds=3, size=36 + 4 * RATE_HZ, data_size=4 * RATE_HZ), warning="not read"
    ),
    "mono.flac": Case(partial(encode, samples=tones(1, bits=24), codec="flac", container="flac")),
    "16.flac": Case(partial(encode, samples=tones(), codec="flac", container="flac", bits=16)),
    "24.flac": Case(made(lambda: encoded("flac", "flac"))),
    "8-channels.flac": Case(
        partial(encode, samples=tones(8, bits=24), codec="flac", container="flac")
    ),
    "length-unsaid.flac": Case(partial(silent_flac, seconds=20, said_frames=0)),
    "old-tag.flac": Case(made(lambda: with_id3v1(encoded("flac", "flac")))),
    "tagged.flac": Case(tagged),
    "aiff.aiff": Case(made(lambda: encoded("pcm_s24be", "aiff"))),
    "au.au": Case(made(lambda: encoded("pcm_s16be", "au"))),
    "caf.caf": Case(made(lambda: encoded("pcm_s24le", "caf"))),
    "wave64.w64": Case(made(lambda: encoded("pcm_s24le", "w64"))),
    "wavpack.wv": Case(made(lambda: encoded("wavpack", "wv"))),
    "tta.tta": Case(made(lambda: encoded("tta", "tta"))),
    "alac.m4a": Case(made(lambda: encoded("alac", "mp4"))),
    "flac.oga": Case(made(lambda: encoded("flac", "ogg"))),
    "flac.mka": Case(made(lambda: encoded("flac", "matroska"))),
    "mp3.mp3": Case(made(lambda: encoded("mp3", "mp3"))),
    "old-tag.mp3": Case(made(lambda: with_id3v1(encoded("mp3", "mp3")))),
    "huge-art.mp3": Case(partial(with_art, art_bytes=20_000_000)),
    "scratched.mp3": Case(
        made(lambda: scratched(encoded("mp3", "mp3", 10), [0.3, 0.6])), warning="left out"
    ),
    "aac.aac": Case(made(lambda: encoded("aac", "adts"))),
    "aac.m4a": Case(made(lambda: encoded("aac", "mp4"))),
    "vorbis.ogg": Case(made(lambda: encoded("vorbis", "ogg"))),
    "opus.opus": Case(made(lambda: encoded("libopus", "ogg"))),
    "opus.webm": Case(made(lambda: encoded("libopus", "webm"))),
    "ac3.ac3": Case(made(lambda: encoded("ac3", "ac3"))),
    "aac.ts": Case(made(lambda: encoded("aac", "mpegts"))),
    "track-on-the-way.ts": Case(made(track_on_the_way), warning="1 damaged packets were left out"),
    "video.mp4": Case(partial(video, audio=True)),
    "2-tracks.mka": Case(
        partial(encode, samples=tones(bits=24), codec="flac", container="matroska", tracks=2),
        warning="2 audio tracks",
    ),
}
"""Unusual, but to be decoded to the end."""

BAD = {**NO_AUDIO, **REFERRING, **LYING, **DAMAGED}
CORPUS = {**BAD, **ODD}
