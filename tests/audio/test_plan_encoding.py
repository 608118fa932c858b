"""What a stem's file will be, decided from the recording's format."""

import json

import pytest
from stem_files import a_recording

from stemset.audio.encode import plan_encoding
from stemset.audio.formats import Depth, OutputFormat
from stemset.errors import UnsupportedFormat

LOSSY = [OutputFormat.OPUS, OutputFormat.AAC, OutputFormat.MP3]


@pytest.mark.parametrize(
    ("output_format", "recorded", "depth", "note"),
    [
        (OutputFormat.WAV, Depth.S16, Depth.S16, ""),
        (OutputFormat.WAV, Depth.S24, Depth.S24, ""),
        (OutputFormat.WAV, Depth.S32, Depth.S32, ""),
        (OutputFormat.WAV, Depth.F32, Depth.F32, ""),
        (OutputFormat.WAV, Depth.F64, Depth.F32, "64-bit float samples are written as 32-bit"),
        (OutputFormat.FLAC, Depth.S16, Depth.S16, ""),
        (OutputFormat.FLAC, Depth.S24, Depth.S24, ""),
        (OutputFormat.FLAC, Depth.S32, Depth.S24, "32-bit integer samples are written as 24-bit"),
        (OutputFormat.FLAC, Depth.F32, Depth.S24, "32-bit float samples are written as 24-bit"),
        (OutputFormat.FLAC, Depth.F64, Depth.S24, "64-bit float samples are written as 24-bit"),
    ],
)
def test_plan_lossless_format_keeps_depth_or_says_so(output_format, recorded, depth, note):
    encoding = plan_encoding(output_format, None, a_recording(depth=recorded))

    assert encoding.depth is depth
    assert [text.startswith(note) for text in encoding.notes] == ([True] if note else [])


@pytest.mark.parametrize("output_format", [OutputFormat.WAV, OutputFormat.FLAC])
@pytest.mark.parametrize("rate_hz", [8_000, 37_800, 44_100, 192_000])
@pytest.mark.parametrize("layout", ["mono", "stereo", "4.0", "7.1"])
def test_plan_lossless_format_keeps_rate_and_channels(output_format, rate_hz, layout):
    recording = a_recording(rate_hz, layout)

    encoding = plan_encoding(output_format, None, recording)

    assert (encoding.rate_hz, encoding.layout) == (rate_hz, layout)
    assert encoding.channels == recording.channels
    assert encoding.notes == ()


@pytest.mark.parametrize(
    ("output_format", "rate_hz", "file_rate_hz", "note"),
    [
        (OutputFormat.OPUS, 48_000, 48_000, None),
        (OutputFormat.OPUS, 44_100, 48_000, "Opus is 48 kHz by its nature"),
        (OutputFormat.OPUS, 192_000, 48_000, "Opus is 48 kHz by its nature"),
        (OutputFormat.AAC, 96_000, 96_000, None),
        (OutputFormat.AAC, 37_800, 44_100, "AAC has no rate of 37800 Hz"),
        (OutputFormat.AAC, 176_400, 96_000, "AAC goes no higher"),
        (OutputFormat.MP3, 11_025, 11_025, None),
        (OutputFormat.MP3, 37_800, 44_100, "MP3 has no rate of 37800 Hz"),
        (OutputFormat.MP3, 96_000, 48_000, "MP3 goes no higher"),
    ],
)
def test_plan_lossy_format_takes_nearest_rate_not_lower(output_format, rate_hz, file_rate_hz, note):
    encoding = plan_encoding(output_format, None, a_recording(rate_hz))

    assert encoding.rate_hz == file_rate_hz
    assert encoding.source_rate_hz == rate_hz
    expected = f"resampled from {rate_hz} to {file_rate_hz} Hz: {note}"
    assert encoding.notes == (() if note is None else (expected,))


@pytest.mark.parametrize(
    ("output_format", "rate_hz", "layout", "kbps"),
    [
        (OutputFormat.OPUS, 48_000, "stereo", 192),
        (OutputFormat.OPUS, 48_000, "mono", 192),
        (OutputFormat.OPUS, 48_000, "5.1", 576),
        (OutputFormat.AAC, 48_000, "stereo", 256),
        (OutputFormat.AAC, 8_000, "stereo", 96),
        (OutputFormat.MP3, 44_100, "stereo", 320),
        (OutputFormat.MP3, 22_050, "stereo", 160),
        (OutputFormat.MP3, 8_000, "mono", 64),
    ],
)
def test_plan_bitrate_not_given_is_the_default_or_the_most(output_format, rate_hz, layout, kbps):
    encoding = plan_encoding(output_format, None, a_recording(rate_hz, layout))

    assert encoding.bitrate_kbps == kbps


@pytest.mark.parametrize(
    ("output_format", "rate_hz", "layout", "kbps", "limit"),
    [
        (OutputFormat.OPUS, 48_000, "stereo", 5, "6 to 512 kbit/s; 5 was"),
        (OutputFormat.OPUS, 48_000, "mono", 257, "6 to 256 kbit/s; 257 was"),
        (OutputFormat.AAC, 44_100, "stereo", 530, "32 to 529 kbit/s; 530 was"),
        (OutputFormat.AAC, 44_100, "stereo", 31, "32 to 529 kbit/s; 31 was"),
        (OutputFormat.MP3, 44_100, "stereo", 200, "192, 224, 256, 320 kbit/s; 200 was"),
        (OutputFormat.MP3, 44_100, "stereo", 8, "32, 40, .* kbit/s; 8 was"),
        (OutputFormat.MP3, 22_050, "stereo", 192, "144, 160 kbit/s; 192 was"),
        (OutputFormat.MP3, 8_000, "stereo", 128, "56, 64 kbit/s; 128 was"),
        (OutputFormat.OPUS, 48_000, "stereo", 0, "6 to 512 kbit/s; 0 was"),
    ],
)
def test_plan_bitrate_the_codec_lacks_is_refused(output_format, rate_hz, layout, kbps, limit):
    with pytest.raises(UnsupportedFormat, match=limit):
        plan_encoding(output_format, kbps, a_recording(rate_hz, layout))


def test_plan_bitrate_for_a_lossless_format_is_noted():
    encoding = plan_encoding(OutputFormat.FLAC, 192, a_recording())

    assert encoding.bitrate_kbps is None
    assert encoding.notes == ("a bitrate of 192 kbit/s means nothing to FLAC",)


@pytest.mark.parametrize(
    ("output_format", "layout", "message"),
    [
        (OutputFormat.MP3, "5.1", r"MP3 holds .* mono, stereo; the recording has 6 channels"),
        (OutputFormat.OPUS, "4.0", r"Opus holds .* 4 channels \(4.0\)"),
        (OutputFormat.OPUS, "5 channels", r"5 channels \(5 channels\)"),
        (OutputFormat.AAC, "6.1", r"AAC holds .* 7 channels \(6.1\)"),
    ],
)
def test_plan_layout_the_format_lacks_is_refused(output_format, layout, message):
    with pytest.raises(UnsupportedFormat, match=message):
        plan_encoding(output_format, None, a_recording(layout=layout))


@pytest.mark.parametrize(
    ("layout", "written"),
    [("5.1(side)", "5.1"), ("quad(side)", "quad"), ("1 channels", "mono"), ("downmix", "stereo")],
)
def test_plan_layout_of_other_name_is_written_and_noted(layout, written):
    encoding = plan_encoding(OutputFormat.OPUS, None, a_recording(layout=layout))

    assert encoding.layout == written
    assert encoding.channels == a_recording(layout=written).channels
    assert f"the channel layout {layout} is written as {written}" in encoding.notes[0]


@pytest.mark.parametrize("output_format", LOSSY)
def test_plan_depth_for_a_lossy_format_is_refused(output_format):
    with pytest.raises(UnsupportedFormat, match="no depth of samples at all; 16 was asked for"):
        plan_encoding(output_format, None, a_recording(), Depth.S16)


@pytest.mark.parametrize(
    ("output_format", "depth"),
    [
        (OutputFormat.FLAC, Depth.S32),
        (OutputFormat.FLAC, Depth.F32),
        (OutputFormat.WAV, Depth.F64),
    ],
)
def test_plan_depth_the_format_lacks_is_refused(output_format, depth):
    with pytest.raises(UnsupportedFormat, match=f"{depth.value} was asked for"):
        plan_encoding(output_format, None, a_recording(), depth)


def test_plan_depth_asked_for_is_noted():
    encoding = plan_encoding(OutputFormat.WAV, None, a_recording(depth=Depth.S24), Depth.S16)

    assert encoding.depth is Depth.S16
    assert encoding.notes == ("24-bit integer samples are written as 16-bit integer: as asked",)


@pytest.mark.parametrize("output_format", OutputFormat)
def test_encoding_rendition_is_planned_where_the_file_has_no_windows(output_format):
    rendition = plan_encoding(output_format, None, a_recording(44_100)).rendition

    if output_format in (OutputFormat.AAC, OutputFormat.MP3):
        assert rendition is not None
        assert (rendition.format, rendition.bitrate_kbps) == (OutputFormat.OPUS, 128)
        assert (rendition.source_rate_hz, rendition.rate_hz) == (44_100, 48_000)
    else:
        assert rendition is None


@pytest.mark.parametrize("output_format", OutputFormat)
def test_encoding_json_names_what_decides_the_bytes(output_format):
    encoding = plan_encoding(output_format, None, a_recording(44_100))

    written = json.loads(json.dumps(encoding.as_json()))

    assert written == {
        "format": output_format.value,
        "bitrate_kbps": encoding.bitrate_kbps,
        "rate_hz": encoding.rate_hz,
        "source_rate_hz": 44_100,
        "channels": ["FL", "FR"],
        "layout": "stereo",
        "depth": None if output_format.is_lossy else "24",
    }
