"""How FFmpeg is asked, and how its answers are read.

This file runs inside the decoder process only (``decoder_process``). Enters: a file object without
a name. Leaves: its first audio track, ready to be decoded, and what is known of it.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import av
import av.logging
import av.subtitles.stream  # PyAV loads it when it opens a file: too late in a confined process
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard

from stemset.audio._riff import SeekableFile
from stemset.audio.formats import Depth
from stemset.errors import NoAudioTrack, NotAudio

CONTAINERS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dts", "eac3", "flac", "flv",
    "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "tak", "tta", "w64", "wav",
    "wv",
)  # fmt: skip
"""FFmpeg's demuxers that may see the file: none that takes other files' names from it."""

CODECS = (
    "aac", "aac_latm", "ac3", "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "alac", "amrnb", "amrwb",
    "ape", "dca", "eac3", "flac", "gsm_ms", "mp1float", "mp2float", "mp3float", "mpc7", "mpc8",
    "opus", "pcm_alaw", "pcm_bluray", "pcm_dvd", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le",
    "pcm_mulaw", "pcm_s16be", "pcm_s16be_planar", "pcm_s16le", "pcm_s16le_planar", "pcm_s24be",
    "pcm_s24le", "pcm_s24le_planar", "pcm_s32be", "pcm_s32le", "pcm_s32le_planar", "pcm_s8",
    "pcm_s8_planar", "pcm_u16be", "pcm_u16le", "pcm_u24be", "pcm_u24le", "pcm_u32be", "pcm_u32le",
    "pcm_u8", "speex", "tak", "truehd", "tta", "vorbis", "wavpack", "wmalossless", "wmapro",
    "wmav1", "wmav2", "wmavoice",
)  # fmt: skip
"""FFmpeg's decoders that may see the file: no video decoder is among them."""

DEFAULT_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
"""Layouts of 1 to 8 channels that come without names. Source: RFC 9639 (FLAC), section 9.1.3."""

ENCRYPTED_TAGS = ("drms", "enca")
"""Sample entries of protected audio in MP4: of iTunes purchases, and of ISO/IEC 14496-12."""

MAX_TAGS = 64
MAX_TAG_LENGTH = 4096
TECHNICAL_TAGS = {
    "compatible_brands", "duration", "encoder", "encoder_options", "handler_name", "language",
    "major_brand", "minor_version", "vendor_id",
}  # fmt: skip
"""Tags that describe the file and not the music, so that they would be wrong in a stem."""


def open_input(source: SeekableFile) -> InputContainer:
    """Let FFmpeg find out what the file is, with nothing but the file."""
    try:
        return av.open(
            source,
            mode="r",
            options={"threads": "1"},
            container_options={
                "format_whitelist": ",".join(CONTAINERS),
                "codec_whitelist": ",".join(CODECS),
                "protocol_whitelist": "none",
                "max_streams": "64",
            },
            metadata_errors="replace",
            buffer_size=2**18,
            io_open=_refuse_to_open,
        )
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        raise NotAudio("is in no audio format that Stemset reads, or is damaged") from error


def _refuse_to_open(url: str, flags: int, options: Mapping[str, str]) -> None:
    """Answer a demuxer that wants a further file."""
    del flags, options
    raise NotAudio(f"refers to another file, {url!r}")


def first_track(container: InputContainer) -> AudioStream:
    """Return the first audio track, ready to be decoded; all others are skipped while reading."""
    if not container.streams.audio:
        raise NoAudioTrack(f"is a {container.format.name} file without an audio track")
    stream = container.streams.audio[0]
    context = stream.codec_context
    described = describe_codec(container, stream).split(",")[0]
    if context is None or context.name not in CODECS:
        raise NoAudioTrack(f"holds {described}, which Stemset cannot decode")
    if any(f"({tag} /" in described for tag in ENCRYPTED_TAGS):
        raise NoAudioTrack(f"is encrypted: {described}")
    context.thread_count = 1
    if context.name in ("ape", "flac", "tak", "tta", "wavpack"):
        context.options = {"err_detect": "crccheck+explode"}
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    return stream


def is_lossless(stream: AudioStream) -> bool:
    """Whether the codec stores the samples themselves."""
    codec = stream.codec_context.codec
    return codec.lossless and codec.name != "dca"  # DTS: its lossless part is optional, and rare


def describe_codec(container: InputContainer, stream: AudioStream) -> str:
    """Return FFmpeg's line about a track, as ``flac, 48000 Hz, stereo, s32 (24 bit)``.

    PyAV has no other way to the number of bits, or to the name of a codec without a decoder.
    """
    av.logging.set_level(av.logging.INFO)  # below this level there is nothing to dump
    text: str = container.dumps_format()  # pyright: ignore[reportAttributeAccessIssue]  not in its stubs
    av.logging.set_level(None)
    line = re.search(rf"^  Stream #0:{stream.index}\b.*?: Audio: (.*)$", text, re.MULTILINE)
    return line.group(1) if line else "unknown"


def depth_of(sample: str, described: str) -> Depth:
    """Return the depth of lossless samples; 20 bits are kept as 24."""
    match sample:
        case "u8" | "s16":
            return Depth.S16
        case "s32":
            bits = re.search(r", s32p? \((\d+) bit\)", described)
            return Depth.S24 if bits and int(bits.group(1)) <= Depth.S24.bits else Depth.S32
        case "dbl":
            return Depth.F64
        case _:
            return Depth.F32


class Channels(NamedTuple):
    """Which channels there are.

    Attributes:
        layout: The layout's name, which FFmpeg reads as well.
        names: Their names in order.
        assumed: Whether these are not the file's own names.
    """

    layout: str
    names: tuple[str, ...]
    assumed: bool


def name_channels(found: AudioLayout) -> Channels:
    """Return the channels of a layout, each with a name."""
    count, names = found.nb_channels, _names(found)
    if count == 1 or re.fullmatch(r"\d+ channels", found.name):
        usual = AudioLayout(DEFAULT_LAYOUTS[count - 1])
        return Channels(usual.name, _names(usual), assumed=count > len(("left", "right")))
    if " channels (" in found.name:  # a set of speakers that has no name of its own
        return Channels("+".join(names), names, assumed=False)
    return Channels(found.name, names, assumed=False)


def _names(layout: AudioLayout) -> tuple[str, ...]:
    return tuple(channel.name for channel in layout.channels)


def clean_tags(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return the file's tags, then the track's, with nothing in them that could do harm."""
    tags: dict[str, str] = {}
    for key, value in ((key, value) for source in sources for key, value in source.items()):
        clean_key = _clean(key).lower()
        if clean_key and clean_key not in TECHNICAL_TAGS and len(tags) < MAX_TAGS:
            tags.setdefault(clean_key, _clean(value))
    return {key: value for key, value in tags.items() if value}


_CONTROL_CHARACTERS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ")


def _clean(text: str) -> str:
    return text[:MAX_TAG_LENGTH].translate(_CONTROL_CHARACTERS).strip()
