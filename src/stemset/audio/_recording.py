"""A recording inside the decoder process: its format, then its frames, each of them checked.

Enters: a file object without a name. Leaves: a RecordingFormat and PyAV's audio frames, or the
error that says what is wrong with the recording.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from stemset.audio._decoder_wire import DecodeLimits
from stemset.audio._ffmpeg import (
    clean_tags,
    depth_of,
    describe_codec,
    first_track,
    is_lossless,
    name_channels,
    open_input,
)
from stemset.audio._riff import SeekableFile, WavPromise, read_promise
from stemset.audio.formats import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, Depth, RecordingFormat
from stemset.errors import (
    CorruptAudio,
    InputEmpty,
    NoAudioTrack,
    RecordingTooLong,
    TruncatedAudio,
    UnsupportedChannels,
    UnsupportedRate,
)

COUNTING_CONTAINERS = ("aiff", "ape", "au", "caf", "flac", "tta", "w64", "wav", "wv")
"""Containers whose header counts the frames exactly, if it counts them."""


class Recording:
    """An open recording; iterating it decodes it once.

    Attributes:
        format: What the header and the first frame say.
        sample: FFmpeg's name of the samples' format, without the ``p`` of planar ones.
        planar: Whether every channel lies in a plane of its own.
        frames: Frames decoded so far.
        warnings: What turned out to be odd, in words; complete at the end.
    """

    def __init__(self, source: SeekableFile, limits: DecodeLimits) -> None:
        """Open a recording and decode its beginning.

        Args:
            source: The file, which FFmpeg knows through this object alone.
            limits: What the recording may cost.

        Raises:
            NotAudio, NoAudioTrack: if there is nothing that can be decoded.
            InputEmpty, TruncatedAudio, CorruptAudio: from what is in the file, or is not.
            UnsupportedChannels, UnsupportedRate, RecordingTooLong: if it is beyond a limit.
        """
        self._limits = limits
        self.frames = 0
        self.warnings: list[str] = []
        wav = read_promise(source)
        if wav is not None:
            self.warnings += _check_wav(wav, limits)
        has_count = wav.frames is not None if wav else _has_count(source)
        self._container = open_input(source)
        self._stream = first_track(self._container)
        context = self._stream.codec_context
        _check_shape(context.layout.nb_channels, context.sample_rate, limits)
        self._promise = _promise(self._container, self._stream, has_count=has_count)
        self._rate_hz = context.sample_rate  # what a decoder finds later may be 0
        self._check_promise(self._rate_hz)
        self._damage = _Damage(lossless=is_lossless(self._stream))
        self._upcoming = self._decode()
        first = next(self._upcoming, None)
        if first is None:
            raise InputEmpty("holds no samples")
        self._first = first
        self.sample = first.format.name.removesuffix("p")
        self.planar = first.format.is_planar
        self.format = self._describe(first)

    def __iter__(self) -> Iterator[AudioFrame]:
        """Decode the recording.

        Raises:
            RecordingTooLong: as soon as it is longer than the limit, whatever the header says.
            CorruptAudio, TruncatedAudio: if it cannot be decoded, or ends too early.
        """
        yield self._first
        yield from self._upcoming

    def _decode(self) -> Iterator[AudioFrame]:
        """Yield all frames, and check each of them and their number."""
        shape, start = None, None
        for packet in self._packets():
            for frame in self._decode_packet(packet):
                if shape is None:
                    shape, start = _shape(frame), frame.pts
                    _check_shape(frame.layout.nb_channels, frame.sample_rate, self._limits)
                if shape != _shape(frame):
                    self._damage.note(self._position())
                    continue
                if self._is_gap(start, frame.pts):
                    self._damage.note(self._position())
                self._damage.note_good()
                self.frames += frame.samples
                if self.frames > self._limits.max_duration_s * frame.sample_rate:
                    limit_s = self._limits.max_duration_s
                    raise RecordingTooLong(f"is longer than the limit of {limit_s:,} s")
                yield frame
        self._check_end()

    def _packets(self) -> Iterator[Packet]:
        """Yield the track's packets, and go on behind a place that cannot be read."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except IndexError:  # of a track that began on the way, which PyAV does not know
                packets = self._container.demux(self._stream)
            except FFmpegError as error:
                self._note(error)
                packets = self._container.demux(self._stream)
            else:
                yield packet

    def _decode_packet(self, packet: Packet) -> list[AudioFrame]:
        """Return a packet's frames: none if it is damaged and may be left out."""
        if packet.has_sidedata("encryption_info"):
            raise NoAudioTrack("is encrypted")
        try:
            return self._stream.decode(packet)
        except FFmpegError as error:
            is_half_frame = self._stream.codec_context.name.startswith("pcm_")
            if not is_half_frame:  # the last bytes of a cut PCM file; its frames are counted
                self._note(error)
            return []

    def _note(self, error: FFmpegError) -> None:
        """Take a failure for damage, unless it is for want of memory."""
        if isinstance(error, MemoryError):
            raise error
        self._damage.note(self._position())

    def _is_gap(self, start: int | None, position: int | None) -> bool:
        """Whether frames are missing before this one: FLAC counts them, and FFmpeg skips damage."""
        if self._container.format.name != "flac" or start is None or position is None:
            return False
        return position - start != self.frames

    def _position(self) -> str:
        return f"at {self.frames / self._rate_hz:.3f} s"

    def _check_promise(self, rate_hz: int) -> None:
        """Hold the header's length against the duration limit."""
        frames, limit_s = self._promise.frames, self._limits.max_duration_s
        if frames is not None and frames > limit_s * rate_hz:
            length_s = frames / rate_hz
            raise RecordingTooLong(f"is {length_s:,.1f} s long; the limit is {limit_s:,} s")

    def _check_end(self) -> None:
        """Hold what was decoded against what was promised."""
        promised, slack = self._promise
        if promised is not None and slack is not None and self.frames + slack < promised:
            raise TruncatedAudio(f"ends after {self.frames:,} of {promised:,} frames")
        if promised is not None and slack == 0 and self.frames > promised:
            self.warnings.append(f"It holds {self.frames:,} frames; its header says {promised:,}.")
        self.warnings += self._damage.sum_up()

    def _describe(self, first: AudioFrame) -> RecordingFormat:
        """Put the format together from the header and the first frame."""
        codec = self._stream.codec_context.codec
        lossless = is_lossless(self._stream)
        described = describe_codec(self._container, self._stream)
        channels = name_channels(first.layout)
        if channels.assumed:
            taken = f"{len(channels.names)} channels; they are taken as {' '.join(channels.names)}"
            self.warnings.append(f"It does not name its {taken}.")
        tracks = len(self._container.streams.audio)
        if tracks > 1:
            self.warnings.append(f"It has {tracks} audio tracks; the first one is used.")
        frames, slack = self._promise
        return RecordingFormat(
            container=self._container.format.name,
            codec=codec.canonical_name,
            rate_hz=first.sample_rate,
            channels=channels.names,
            layout=channels.layout,
            depth=depth_of(self.sample, described) if lossless else Depth.F32,
            lossless=lossless,
            frames=frames,
            frames_exact=slack == 0,
            tracks=tracks,
            tags=clean_tags(self._container.metadata, self._stream.metadata),
            warnings=tuple(self.warnings),
        )


class _Promise(NamedTuple):
    """How long the header says the recording is.

    Attributes:
        frames: Number of frames; None if it does not say.
        slack: Frames that may be missing all the same; None if the number is a guess.
    """

    frames: int | None
    slack: int | None


class _Damage:
    """Keeps count of what cannot be decoded.

    A lossless recording with a damaged place in its midst is refused; damage at its end is a cut
    file, which the frame count shows better. Lossy streams are made to be picked up again, so some
    of their packets may be left out.
    """

    ALLOWED_PACKETS = 32
    ALLOWED_SHARE = 0.02

    def __init__(self, *, lossless: bool) -> None:
        self._lossless = lossless
        self._good = 0
        self._bad = 0
        self._first = ""

    def note(self, position: str) -> None:
        """Take down a damaged place.

        Raises:
            CorruptAudio: if there are too many of them.
        """
        self._first = self._first or position
        self._bad += 1
        if self._bad > max(self.ALLOWED_PACKETS, self.ALLOWED_SHARE * self._good):
            raise CorruptAudio(f"cannot be decoded {self._first} and in other places")

    def note_good(self) -> None:
        """Take down a frame that was decoded.

        Raises:
            CorruptAudio: if something is damaged before it, and the recording is lossless.
        """
        self._good += 1
        if self._bad and self._lossless:
            raise CorruptAudio(f"cannot be decoded {self._first}")

    def sum_up(self) -> Iterator[str]:
        """Yield what is to be said at the end.

        Raises:
            CorruptAudio: if the end is missing, or more than half of all.
        """
        if self._bad and (self._lossless or self._bad > self._good):
            raise CorruptAudio(f"cannot be decoded {self._first}")
        if self._bad:
            yield f"{self._bad} damaged packets were left out, the first {self._first}."


def _check_wav(wav: WavPromise, limits: DecodeLimits) -> Iterator[str]:
    """Refuse a WAV file for what its header says, before FFmpeg sees it; yield what is odd."""
    _check_shape(wav.channels, wav.rate_hz, limits)
    if wav.frames == 0:
        raise InputEmpty("holds no samples")
    if wav.frames is not None and wav.frames > wav.frames_present:
        raise TruncatedAudio(f"ends after {wav.frames_present:,} of {wav.frames:,} frames")
    if wav.unfinished:
        yield "It was never finished by its recorder, and was read to the end of the file."
    if wav.frames_beyond > wav.rate_hz:
        beyond_s = wav.frames_beyond / wav.rate_hz
        yield f"It goes on for {beyond_s:.1f} s behind the end that its header names: not read."


def _check_shape(channels: int, rate_hz: int, limits: DecodeLimits) -> None:
    """Hold channels and rate against the limits."""
    most = min(limits.max_channels, MAX_CHANNELS)
    if not 1 <= channels <= most:
        raise UnsupportedChannels(f"has {channels:,} channels; 1 to {most} are supported")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise UnsupportedRate(
            f"has a rate of {rate_hz:,} Hz; {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz are supported"
        )


def _has_count(source: SeekableFile) -> bool:
    """Whether a file of the kinds that may leave their frame count open has filled it in."""
    head = source.read(26).ljust(26, b"\0")
    source.seek(0, os.SEEK_SET)
    match head[:4]:
        case b"fLaC":  # 36 bits of STREAMINFO; RFC 9639, section 8.2
            return any((head[21] & 0x0F, *head[22:26]))
        case b".snd":
            return head[8:12] != b"\xff\xff\xff\xff"
        case b"wvpk":
            return head[12:16] != b"\xff\xff\xff\xff"
        case _:
            return True


def _promise(container: InputContainer, stream: AudioStream, *, has_count: bool) -> _Promise:
    """Return what the header says of the track's length."""
    name = container.format.name
    rate_hz = stream.codec_context.sample_rate
    if name in ("aiff", "caf") and stream.codec_context.name.startswith("pcm_"):
        return _Promise(stream.frames or None, 0 if stream.frames else None)
    if stream.duration is not None and stream.time_base is not None:
        frames = round(stream.duration * stream.time_base * rate_hz)
    elif container.duration is not None:
        frames = round(container.duration * rate_hz / av.time_base)
    else:
        return _Promise(None, None)
    if name in COUNTING_CONTAINERS and is_lossless(stream):
        return _Promise(frames, 0) if has_count else _Promise(None, None)
    has_index = name.startswith("mov") or (name == "matroska,webm" and len(container.streams) == 1)
    return _Promise(frames, rate_hz if has_index else None)


def _shape(frame: AudioFrame) -> tuple[int, int, str]:
    """Return what must stay the same through a recording."""
    return frame.layout.nb_channels, frame.sample_rate, frame.format.name
