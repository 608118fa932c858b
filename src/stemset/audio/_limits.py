"""What each output format can hold: speakers, rates, depths and bitrates.

Each function answers one question about the file. Where the answer is not what the recording is,
it adds a note in words; where there is no honest answer, it raises `UnsupportedFormat`.
"""

from collections.abc import Mapping

from stemset.audio.formats import Depth, OutputFormat, RecordingFormat
from stemset.errors import UnsupportedFormat

LABELS: Mapping[OutputFormat, str] = {
    OutputFormat.OPUS: "Opus",
    OutputFormat.AAC: "AAC",
    OutputFormat.MP3: "MP3",
    OutputFormat.FLAC: "FLAC",
    OutputFormat.WAV: "WAV",
}

_ONE_OR_TWO = {"mono": ("FC",), "stereo": ("FL", "FR")}
_SURROUND = {
    "3.0": ("FL", "FR", "FC"),
    "quad": ("FL", "FR", "BL", "BR"),
    "5.0": ("FL", "FR", "FC", "BL", "BR"),
    "5.1": ("FL", "FR", "FC", "LFE", "BL", "BR"),
    "7.1": ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
# Source: RFC 7845, 5.1.1.2 (mapping family 1). AAC has 6.1 too, but FFmpeg's decoder gives back
# seven channels without names. WAV and FLAC name any speakers.
_LAYOUTS: Mapping[OutputFormat, Mapping[str, tuple[str, ...]]] = {
    OutputFormat.OPUS: _ONE_OR_TWO
    | _SURROUND
    | {"6.1": ("FL", "FR", "FC", "LFE", "BC", "SL", "SR")},
    OutputFormat.AAC: _ONE_OR_TWO | _SURROUND,
    OutputFormat.MP3: _ONE_OR_TWO,
}
_BACK_FOR_SIDE = {"quad(side)": "quad", "5.0(side)": "5.0", "5.1(side)": "5.1"}
_BY_COUNT = {1: "mono", 2: "stereo"}

# Source: RFC 6716, 2; ISO/IEC 14496-3, table 1.18; ISO/IEC 13818-3 and 11172-3 (2.4.2.3).
_RATES_HZ: Mapping[OutputFormat, tuple[int, ...]] = {
    OutputFormat.OPUS: (48_000,),
    OutputFormat.AAC: (
        *(8_000, 11_025, 12_000, 16_000, 22_050, 24_000),
        *(32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
    ),
    OutputFormat.MP3: (
        *(8_000, 11_025, 12_000, 16_000, 22_050, 24_000),
        *(32_000, 44_100, 48_000),
    ),
}

_DEPTHS: Mapping[OutputFormat, tuple[Depth, ...]] = {
    OutputFormat.WAV: (Depth.S16, Depth.S24, Depth.S32, Depth.F32),
    OutputFormat.FLAC: (Depth.S16, Depth.S24),
}

# For stereo; twice that for four channels, and so on.
_DEFAULT_KBPS: Mapping[OutputFormat, int] = {
    OutputFormat.OPUS: 192,
    OutputFormat.AAC: 256,
    OutputFormat.MP3: 320,
}
# Source: RFC 6716, 2 (6 kbit/s); libopus takes up to 256 kbit/s a channel.
_OPUS_MIN_KBPS = 6
_OPUS_MAX_KBPS_PER_CHANNEL = 256
# Source: ISO/IEC 14496-3, 4.5.3.3: 6144 bits for the 1024 frames of a channel. FFmpeg's encoder
# spends 13 kbit/s a channel whatever it is told (measured, noise).
_AAC_MIN_KBPS_PER_CHANNEL = 16
_AAC_MAX_BITS_PER_FRAME = 6
# Source: ISO/IEC 11172-3 and 13818-3, 2.4.2.3; what libmp3lame 3.100 gives at each rate (measured).
_MP3_KBPS_FROM_32_KHZ = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBPS_FROM_16_KHZ = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MP3_KBPS_BELOW = (8, 16, 24, 32, 40, 48, 56, 64)


def fit_layout(
    output_format: OutputFormat, recording: RecordingFormat, notes: list[str]
) -> tuple[str, tuple[str, ...]]:
    """The speakers of the file, in the recording's order.

    Returns:
        FFmpeg's name of the layout, and the channels' names.

    Raises:
        UnsupportedFormat: The format has no such set of speakers.
    """
    held = _LAYOUTS.get(output_format)
    if held is None or recording.layout in held:
        return recording.layout, recording.channels
    name = _BACK_FOR_SIDE.get(recording.layout) or _BY_COUNT.get(len(recording.channels), "")
    if name not in held:
        raise UnsupportedFormat(
            f"{LABELS[output_format]} holds the channel layouts {', '.join(held)}; the recording"
            f" has {len(recording.channels)} channels ({recording.layout}): choose wav or flac"
        )
    notes.append(
        f"the channel layout {recording.layout} is written as {name}:"
        f" {LABELS[output_format]} has no other of {len(recording.channels)} channels"
    )
    return name, held[name]


def fit_rate(output_format: OutputFormat, rate_hz: int, notes: list[str]) -> int:
    """The rate of the file: the recording's, or the next higher one that the format has."""
    rates = _RATES_HZ.get(output_format)
    if rates is None or rate_hz in rates:
        return rate_hz
    fitting = min((rate for rate in rates if rate > rate_hz), default=rates[-1])
    label = LABELS[output_format]
    if output_format is OutputFormat.OPUS:
        reason = "Opus is 48 kHz by its nature"
    elif fitting < rate_hz:
        reason = f"{label} goes no higher"
    else:
        reason = f"{label} has no rate of {rate_hz} Hz"
    notes.append(f"resampled from {rate_hz} to {fitting} Hz: {reason}")
    return fitting


def fit_depth(
    output_format: OutputFormat, recorded: Depth, asked: Depth | None, notes: list[str]
) -> Depth | None:
    """The depth of the file's samples: the one asked for, or else the recording's.

    Returns:
        None for a lossy format, which has no depth.

    Raises:
        UnsupportedFormat: The format does not have the depth asked for.
    """
    held = _DEPTHS.get(output_format, ())
    if asked is not None and asked not in held:
        depths = ", ".join(held) or "no depth of samples at all"
        raise UnsupportedFormat(
            f"{LABELS[output_format]} stems have {depths}; {asked.value} was asked for"
        )
    if not held:
        return None
    depth = asked or (recorded if recorded in held else held[-1])
    if depth is not recorded:
        reason = "as asked" if asked else f"{LABELS[output_format]} stems hold no more"
        notes.append(f"{_in_words(recorded)} samples are written as {_in_words(depth)}: {reason}")
    return depth


def fit_bitrate(
    output_format: OutputFormat,
    asked_kbps: int | None,
    channels: int,
    rate_hz: int,
    notes: list[str],
) -> int | None:
    """The bitrate of the whole stream in kbit/s: the one asked for, or a good one.

    Returns:
        None for a lossless format.

    Raises:
        UnsupportedFormat: The codec does not have this bitrate for these channels at this rate.
    """
    label = LABELS[output_format]
    if not output_format.is_lossy:
        if asked_kbps is not None:
            notes.append(f"a bitrate of {asked_kbps} kbit/s means nothing to {label}")
        return None
    held = _bitrates_kbps(output_format, channels, rate_hz)
    if asked_kbps is None:
        wanted = _DEFAULT_KBPS[output_format] * max(channels, 2) // 2
        return max(kbps for kbps in held if kbps <= wanted)
    if asked_kbps not in held:
        legal = (
            f"{held[0]} to {held[-1]}"
            if isinstance(held, range)
            else ", ".join(str(kbps) for kbps in held)
        )
        raise UnsupportedFormat(
            f"{label} at {rate_hz} Hz with {channels} channels has {legal} kbit/s;"
            f" {asked_kbps} was asked for"
        )
    return asked_kbps


def _in_words(depth: Depth) -> str:
    return f"{depth.bits}-bit {'float' if depth.is_float else 'integer'}"


def _bitrates_kbps(
    output_format: OutputFormat, channels: int, rate_hz: int
) -> range | tuple[int, ...]:
    if output_format is OutputFormat.OPUS:
        return range(_OPUS_MIN_KBPS, _OPUS_MAX_KBPS_PER_CHANNEL * channels + 1)
    if output_format is OutputFormat.AAC:
        most = _AAC_MAX_BITS_PER_FRAME * rate_hz * channels // 1000
        return range(_AAC_MIN_KBPS_PER_CHANNEL * channels, most + 1)
    if rate_hz >= 32_000:  # noqa: PLR2004 - the names say it
        return _MP3_KBPS_FROM_32_KHZ
    return _MP3_KBPS_FROM_16_KHZ if rate_hz >= 16_000 else _MP3_KBPS_BELOW  # noqa: PLR2004
