"""Decoding: every file of the corpus, exact samples, and what may go wrong around it."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import corpus
import numpy as np
import psutil
import pytest
from corpus import BAD, CORPUS, ODD, RATE_HZ, encode, silent_flac, tones, wav
from numpy.typing import NDArray

from stemset.audio.decode import BLOCK_FRAMES, DecodeLimits, Decoder, probe
from stemset.audio.formats import Depth
from stemset.errors import (
    DecoderCrashed,
    DecoderFailed,
    InputChanged,
    InputEmpty,
    InputError,
    InputNotFound,
    InputUnreadable,
    RecordingTooLong,
    TruncatedAudio,
    UnsupportedChannels,
)

ENOUGH_S = 5.0
MOST_BYTES = 100e6
"""What a decoder process takes at most of any file of the corpus; a picture of 20 MB is one."""
ODD_NAMES = (
    "Ünïcödé – 歌.wav",
    "two\nlines.wav",
    "-rf.wav",
    "a" * 251 + ".wav",
    "%2e%2e%2fetc.wav",
    "concat:a.wav",
    "\u202egnp.wav",
    "no ending",
    *([os.fsdecode(b"half\xff.wav")] if sys.platform == "linux" else []),
)


HEAD = (
    '{"sample": "s16", "planar": false, "format": {"container": "wav", "codec": "x",'
    ' "rate_hz": 8000, "channels": ["FC"], "layout": "mono", "depth": "16", "lossless": true,'
    ' "frames": null, "warnings": []}}'
)


def decode(path: Path, limits: DecodeLimits | None = None) -> NDArray[Any]:
    """Return all samples of a file."""
    with Decoder(path, limits) as decoder:
        return np.concatenate(list(decoder), axis=1)


def decode_and(act: Callable[[Decoder], object], path: Path) -> int:
    """Decode a file, do something when the first block has come, and return the frames."""
    with Decoder(path) as decoder:
        blocks = iter(decoder)
        frames = next(blocks).shape[1]
        act(decoder)
        return frames + sum(block.shape[1] for block in blocks)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def child_of(decoder: Decoder) -> psutil.Process:
    return psutil.Process(decoder._child._process.pid)


@pytest.fixture
def long_recording(tmp_path: Path) -> Path:
    """10 hours, of which a decoder process can have sent only the beginning."""
    path = tmp_path / "long.flac"
    silent_flac(path, seconds=36_000)
    return path


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """50 blocks, 13 MB: far more than fits between the two processes."""
    path = tmp_path / "large.wav"
    wav(path, np.zeros((2, 50 * BLOCK_FRAMES), np.int16))
    return path


# ---- the corpus


@pytest.mark.alone
@pytest.mark.parametrize("name", BAD)
def test_decode_bad_file_is_refused_with_its_code(name: str, tmp_path: Path):
    path = corpus.write(name, tmp_path)
    before = sorted(tmp_path.iterdir())
    limits = DecodeLimits(max_duration_s=BAD[name].limit_s or DecodeLimits().max_duration_s)
    start = time.monotonic()

    with pytest.raises(InputError) as refusal:
        decode(path, limits)

    assert refusal.value.code == BAD[name].code
    assert str(refusal.value).startswith(str(path))
    assert time.monotonic() - start < ENOUGH_S
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ODD)
def test_decode_odd_file_is_decoded_to_its_end(name: str, tmp_path: Path):
    path = corpus.write(name, tmp_path)

    with Decoder(path) as decoder:
        frames = sum(block.shape[1] for block in decoder)

    assert frames == decoder.frames > 0
    assert not decoder.format.frames_exact or frames == decoder.format.frames
    assert ODD[name].warning in " ".join(decoder.warnings)
    assert bool(decoder.warnings) == bool(ODD[name].warning)


def test_corpus_codes_are_those_of_input_errors():
    codes = {kind.code for kind in InputError.__subclasses__()}

    assert {case.code for case in CORPUS.values() if case.code} <= codes


# ---- samples


@pytest.mark.parametrize(
    ("kind", "depth", "dtype"),
    [
        ("u8", Depth.S16, np.float32),
        ("16", Depth.S16, np.float32),
        ("24", Depth.S24, np.float32),
        ("32", Depth.S32, np.float64),
    ],
)
def test_decode_integer_wav_is_exact(kind: str, depth: Depth, dtype: type, tmp_path: Path):
    bits = corpus.WAV_KINDS[kind]
    samples = tones(3, bits=bits)
    wav(tmp_path / "in.wav", samples, kind)

    decoded = decode(tmp_path / "in.wav")

    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, samples / 2 ** (bits - 1))
    assert probe(tmp_path / "in.wav").depth is depth


@pytest.mark.parametrize(("kind", "dtype"), [("32f", np.float32), ("64f", np.float64)])
def test_decode_float_wav_is_exact_beyond_full_scale(kind: str, dtype: type, tmp_path: Path):
    samples = (3.7 * np.random.default_rng(0).standard_normal((2, RATE_HZ))).astype(dtype)
    wav(tmp_path / "in.wav", samples, kind)

    decoded = decode(tmp_path / "in.wav")

    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, samples)


@pytest.mark.parametrize(("bits", "channels"), [(16, 1), (24, 2), (24, 6), (16, 8)])
def test_decode_flac_is_exact(bits: int, channels: int, tmp_path: Path):
    samples = tones(channels, bits=bits)
    encode(tmp_path / "in.flac", samples, "flac", "flac", bits=bits)

    with Decoder(tmp_path / "in.flac") as decoder:
        decoded = np.concatenate(list(decoder), axis=1)

    assert decoder.format.depth.bits == bits
    np.testing.assert_array_equal(decoded, samples / 2 ** (bits - 1))


@pytest.mark.parametrize("rate_hz", [8_000, 192_000])
def test_decode_rate_is_kept(rate_hz: int, tmp_path: Path):
    wav(tmp_path / "in.wav", tones(), rate_hz=rate_hz)

    assert probe(tmp_path / "in.wav").rate_hz == rate_hz
    np.testing.assert_array_equal(decode(tmp_path / "in.wav"), tones() / 2**15)


def test_decode_one_sample_is_one_block_of_one_frame(tmp_path: Path):
    wav(tmp_path / "in.wav", np.array([[1], [-1]]))

    np.testing.assert_array_equal(decode(tmp_path / "in.wav"), [[2**-15], [-(2**-15)]])


@pytest.mark.parametrize("name", ["in.wav", "in.flac"])
def test_decode_blocks_all_but_the_last_are_of_full_length(name: str, tmp_path: Path):
    samples = tones(frames=2 * BLOCK_FRAMES + 1, bits=24)
    if name == "in.wav":
        wav(tmp_path / name, samples, "24")
    else:
        encode(tmp_path / name, samples, "flac", "flac")

    with Decoder(tmp_path / name) as decoder:
        blocks = list(decoder)

    assert [block.shape[1] for block in blocks] == [BLOCK_FRAMES, BLOCK_FRAMES, 1]
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), samples / 2**23)


def test_decode_blocks_are_arrays_of_their_own(tmp_path: Path):
    wav(tmp_path / "in.wav", tones(frames=2 * BLOCK_FRAMES))

    with Decoder(tmp_path / "in.wav") as decoder:
        first, second = decoder

    assert not np.shares_memory(first, second)
    assert first.flags.writeable


def test_decode_several_tracks_gives_the_first(tmp_path: Path):
    path = corpus.write("2-tracks.mka", tmp_path)

    np.testing.assert_array_equal(decode(path), tones(bits=24) / 2**23)
    assert probe(path).tracks == 2


@pytest.mark.parametrize(
    ("codec", "container"),
    [("mp3", "mp3"), ("vorbis", "ogg"), ("libopus", "ogg"), ("aac", "mp4")],
)
def test_decode_lossy_file_has_no_encoder_delay(codec: str, container: str, tmp_path: Path):
    time_s = np.arange(RATE_HZ) / RATE_HZ
    sweep = np.round(2**21 * np.sin(2 * np.pi * (200 + 2_000 * time_s) * time_s)).astype(np.int64)
    encode(tmp_path / "in", np.stack([sweep, sweep]), codec, container)

    decoded = decode(tmp_path / "in")[0]

    middle = slice(RATE_HZ // 2, RATE_HZ // 2 + 4096)
    lags = range(-2_500, 2_501)
    likeness = [np.dot(decoded[middle], np.roll(sweep, lag)[middle]) for lag in lags]
    assert lags[int(np.argmax(likeness))] == 0


# ---- the format


def test_probe_wav_says_what_it_is_made_of(tmp_path: Path):
    wav(tmp_path / "in.wav", tones(6, bits=24), "24", mask=0x3F)

    found = probe(tmp_path / "in.wav")

    assert (found.container, found.codec, found.lossless) == ("wav", "pcm_s24le", True)
    assert (found.layout, found.channels) == ("5.1", ("FL", "FR", "FC", "LFE", "BL", "BR"))
    assert (found.frames, found.frames_exact, found.duration_s) == (RATE_HZ, True, 1.0)


def test_probe_unusual_set_of_speakers_has_a_layout_that_ffmpeg_reads(tmp_path: Path):
    wav(tmp_path / "in.wav", tones(3), mask=0x103)

    found = probe(tmp_path / "in.wav")

    assert found.channels == ("FL", "FR", "BC")
    assert av.AudioLayout(found.layout).nb_channels == 3


def test_probe_tags_are_plain_and_bounded(tmp_path: Path):
    tags = probe(corpus.write("tagged.flac", tmp_path)).tags

    assert tags["title"] == "Ünïcode"
    assert tags["artist"] == "a [2Jb  c"
    assert len(tags["comment"]) == 4096
    assert len(tags) == 64
    assert "encoder" not in tags


def test_probe_lossy_file_has_float_depth(tmp_path: Path):
    found = probe(corpus.write("mp3.mp3", tmp_path))

    assert (found.codec, found.lossless, found.depth) == ("mp3", False, Depth.F32)


def test_decode_unfinished_wav_promises_no_frames(tmp_path: Path):
    with Decoder(corpus.write("unfinished-zero.wav", tmp_path)) as decoder:
        assert decoder.format.frames is None
        np.testing.assert_array_equal(np.concatenate(list(decoder), axis=1), tones() / 2**15)


# ---- messages


def test_decode_truncated_file_names_both_counts(tmp_path: Path):
    path = corpus.write("data-too-long.wav", tmp_path)

    with pytest.raises(TruncatedAudio, match=r"ends after 48,000 of 250,000 frames\.$"):
        decode(path)


def test_decode_non_finite_sample_is_named_by_position(tmp_path: Path):
    samples = np.zeros((2, 3 * BLOCK_FRAMES))
    samples[1, 2 * BLOCK_FRAMES + 7] = np.nan
    wav(tmp_path / "in.wav", samples, "32f")

    with pytest.raises(InputError, match=r"frame 131,079, at 2\.731 s"):
        decode(tmp_path / "in.wav")


def test_decode_scratched_flac_is_named_by_time(tmp_path: Path):
    content = corpus.encoded("flac", "flac", 10)
    (tmp_path / "in.flac").write_bytes(corpus.scratched(content, [0.5]))

    with pytest.raises(InputError, match=r"cannot be decoded at (4\.[89]|5\.[01])\d\d s"):
        decode(tmp_path / "in.flac")


def test_decode_too_many_channels_names_value_and_limit(tmp_path: Path):
    path = corpus.write("6-channels.wav", tmp_path)

    with pytest.raises(UnsupportedChannels, match="has 6 channels; 1 to 2 are supported"):
        decode(path, DecodeLimits(max_channels=2))


# ---- paths


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_decode_odd_name_is_only_a_name(name: str, tmp_path: Path):
    path = tmp_path / name
    wav(path, tones())

    assert decode(path).shape == (2, RATE_HZ)


def test_decode_error_shows_odd_name_on_one_line(tmp_path: Path):
    path = tmp_path / "two\nlines\x1b[2J.wav"
    path.write_text("nothing")

    with pytest.raises(
        InputError, match=r"two\\nlines\\x1b\[2J\.wav is in no audio format"
    ) as error:
        decode(path)

    assert str(error.value).isprintable()


def test_decode_relative_path_from_another_folder_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wav(tmp_path / "in.wav", tones())
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")

    assert decode(Path("../in.wav")).shape == (2, RATE_HZ)


@pytest.mark.parametrize("path", ["missing.wav", "in.wav/file.wav", "nul\0.wav"])
def test_decode_missing_file_is_not_found(path: str, tmp_path: Path):
    wav(tmp_path / "in.wav", tones())

    with pytest.raises(InputNotFound):
        decode(tmp_path / path)


def test_decode_directory_is_unreadable(tmp_path: Path):
    with pytest.raises(InputUnreadable, match="is not a regular file"):
        decode(tmp_path)


def test_decode_fifo_is_unreadable_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "in.wav")

    with pytest.raises(InputUnreadable, match="is not a regular file"):
        decode(tmp_path / "in.wav")


def test_decode_socket_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("in.wav")

        with pytest.raises(InputUnreadable):
            decode(Path("in.wav"))


def test_decode_device_is_unreadable():
    with pytest.raises(InputUnreadable, match="is not a regular file"):
        decode(Path("/dev/zero"))


def test_decode_loop_of_links_is_unreadable(tmp_path: Path):
    (tmp_path / "in.wav").symlink_to("in.wav")

    with pytest.raises(InputUnreadable):
        decode(tmp_path / "in.wav")


def test_decode_file_without_permission_is_unreadable(tmp_path: Path):
    wav(tmp_path / "in.wav", tones())
    (tmp_path / "in.wav").chmod(0)
    is_root = os.geteuid() == 0  # who may read everything
    if is_root:
        os.seteuid(65_534)
    try:
        with pytest.raises(InputUnreadable, match="Permission denied"):
            decode(tmp_path / "in.wav")
    finally:
        if is_root:
            os.seteuid(0)


def test_decode_one_byte_is_no_audio_and_no_bytes_are_empty(tmp_path: Path):
    (tmp_path / "one.wav").write_bytes(b"R")
    (tmp_path / "none.wav").touch()

    with pytest.raises(InputError) as one:
        decode(tmp_path / "one.wav")
    with pytest.raises(InputEmpty):
        decode(tmp_path / "none.wav")

    assert one.value.code == "audio_unsupported"


# ---- files that change


def test_decode_file_that_grows_meanwhile_is_changed(large_file: Path):
    with pytest.raises(InputChanged, match="changed while it was read"):
        decode_and(lambda _: append(large_file), large_file)


def test_decode_file_that_is_cut_meanwhile_is_changed(large_file: Path):
    with pytest.raises(InputChanged, match="changed while it was read"):
        decode_and(lambda _: os.truncate(large_file, 10 * BLOCK_FRAMES), large_file)


def test_decode_file_that_is_deleted_meanwhile_is_decoded(large_file: Path):
    assert decode_and(lambda _: large_file.unlink(), large_file) == 50 * BLOCK_FRAMES


# ---- limits


@pytest.mark.alone
def test_decode_too_long_by_header_is_refused_before_decoding(long_recording: Path):
    start = time.monotonic()

    with pytest.raises(RecordingTooLong, match=r"is 36,003\.\d s long; the limit is 60 s"):
        Decoder(long_recording, DecodeLimits(max_duration_s=60))

    assert time.monotonic() - start < ENOUGH_S


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit the address space")
def test_decode_beyond_memory_limit_is_refused_by_name(tmp_path: Path):
    path = corpus.write("huge-art.mp3", tmp_path)

    with pytest.raises(DecoderFailed, match="takes more than the allowed 1 MiB of memory"):
        decode(path, DecodeLimits(max_memory_bytes=2**20))


@pytest.mark.skipif(sys.platform != "linux", reason="macOS keeps no count of a process's peak")
def test_decode_picture_of_200_mb_takes_less_than_the_memory_limit(tmp_path: Path):
    corpus.with_art(tmp_path / "in.mp3", 200_000_000)

    with Decoder(tmp_path / "in.mp3") as decoder:
        status = Path(f"/proc/{child_of(decoder).pid}/status").read_text()
        frames = sum(block.shape[1] for block in decoder)

    (peak_kib,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    assert frames == RATE_HZ
    assert 200e6 < 1024 * int(peak_kib) < 600e6


@pytest.mark.skipif(sys.platform != "linux", reason="macOS keeps no count of a process's peak")
@pytest.mark.parametrize("name", CORPUS)
def test_decoder_process_takes_little_memory_whatever_the_file(name: str, tmp_path: Path):
    program = """
        import sys
        status = open("/proc/self/status", "rb", buffering=0)  # later nothing can be opened
        from stemset.audio.decoder_process import main
        main()
        status.seek(0)
        sys.stderr.buffer.write(status.read())
    """
    limit_s = CORPUS[name].limit_s or DecodeLimits().max_duration_s

    with corpus.write(name, tmp_path).open("rb") as recording:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                textwrap.dedent(program),
                json.dumps({"max_duration_s": limit_s}),
            ],
            stdin=recording,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )

    (peak_kib,) = (line.split()[1] for line in done.stderr.splitlines() if line[:6] == b"VmHWM:")
    assert 10e6 < 1024 * int(peak_kib) < MOST_BYTES


def test_decode_long_recording_takes_flat_memory(long_recording: Path):
    with Decoder(long_recording) as decoder:
        child, sizes = child_of(decoder), []
        for number, _ in enumerate(decoder):
            if number % 400 == 10:
                sizes.append(child.memory_info().rss)
            if number == 2_500:
                break

    assert max(sizes) < 120e6
    assert max(sizes) - sizes[0] < 2e6


@pytest.mark.alone
def test_decode_first_block_of_10_hours_comes_soon(long_recording: Path):
    start = time.monotonic()

    with Decoder(long_recording) as decoder:
        next(iter(decoder))

        assert time.monotonic() - start < 1.5


# ---- the process


def test_decoder_process_killed_meanwhile_is_an_error(long_recording: Path):
    with pytest.raises(DecoderCrashed, match="the decoder process was ended by SIGKILL"):
        decode_and(lambda decoder: child_of(decoder).kill(), long_recording)


def test_decoder_process_that_used_its_time_says_so(long_recording: Path):
    with pytest.raises(DecoderFailed, match="used up the allowed 10,860 CPU-seconds"):
        decode_and(lambda decoder: child_of(decoder).send_signal(signal.SIGXCPU), long_recording)


@pytest.mark.alone
def test_decoder_closed_by_another_thread_ends_the_iteration(long_recording: Path):
    with Decoder(long_recording) as decoder:
        child_of(decoder).suspend()  # so that the iteration waits
        failures: list[BaseException] = []

        def iterate() -> None:
            try:
                for _ in decoder:
                    pass
            except DecoderFailed as error:
                failures.append(error)

        reader = threading.Thread(target=iterate)
        reader.start()
        time.sleep(0.2)
        start = time.monotonic()
        decoder.close()
        reader.join(ENOUGH_S)

    assert time.monotonic() - start < 1
    assert "closed before the end" in str(failures[0])


def test_decoder_left_early_leaves_nothing_open(long_recording: Path):
    def descriptors() -> int:
        return psutil.Process().num_fds()

    before = descriptors()

    for _ in range(3):
        with Decoder(long_recording) as decoder:
            next(iter(decoder))

    assert descriptors() == before


def test_decoder_iterated_again_is_an_error(tmp_path: Path):
    wav(tmp_path / "in.wav", tones())

    with Decoder(tmp_path / "in.wav") as decoder:
        list(decoder)
        with pytest.raises(DecoderFailed):
            list(decoder)


def test_decoder_process_knows_nothing_of_the_parent(
    long_recording: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "secret")

    with Decoder(long_recording) as decoder:
        child = child_of(decoder)
        environment, command = child.environ(), " ".join(child.cmdline())

    assert "R2_SECRET_ACCESS_KEY" not in environment
    assert str(long_recording) not in command


def test_decoder_process_is_out_of_reach_of_ctrl_c(long_recording: Path):
    with Decoder(long_recording) as decoder:
        assert os.getpgid(child_of(decoder).pid) != os.getpgid(0)


def test_decoder_process_ends_with_a_parent_that_is_killed(long_recording: Path):
    program = """
        import sys
        from stemset.audio.decode import Decoder
        decoder = Decoder(sys.argv[1])
        print(decoder._child._process.pid, flush=True)
        sys.stdin.read()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), long_recording],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

    psutil.wait_procs([child], ENOUGH_S)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_decoder_process_that_waits_for_input_ends_when_nobody_listens():
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "stemset.audio.decoder_process", "{}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout
        time.sleep(0.5)
        assert child.poll() is None
        child.stdout.close()

        assert child.wait(ENOUGH_S) == 1


@pytest.mark.parametrize("attempt", ["open(sys.executable)", "os.pipe()", "socket.socket()"])
def test_decoder_process_when_confined_opens_nothing(attempt: str):
    program = f"""
        import os, socket, sys
        from stemset.audio import decoder_process
        decoder_process.allow_little = bool  # as where the kernel filters no system calls
        decoder_process._confine(decoder_process.DecodeLimits())
        try:
            {attempt}
        except OSError as error:
            os._exit(error.errno)
    """

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)

    assert done.returncode == errno.EMFILE


def test_decoder_process_when_confined_cannot_write_a_file(tmp_path: Path):
    program = """
        import os, signal, sys
        from stemset.audio.decoder_process import DecodeLimits, _confine
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        _confine(DecodeLimits())
        try:
            os.write(file, b"x")
        except OSError as error:
            os._exit(error.errno)
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), tmp_path / "out"], check=False
    )

    assert done.returncode == errno.EFBIG


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("name", [*corpus.REFERRING, "video.mp4"])
def test_decoder_process_asks_for_no_file_once_it_reads_the_recording(name: str, tmp_path: Path):
    trace = tmp_path / "trace"
    path = corpus.write(name, tmp_path)
    command = [sys.executable, "-I", "-m", "stemset.audio.decoder_process", "{}"]

    with path.open("rb") as recording:
        subprocess.run(
            ["strace", "-f", "-o", trace, "-e", "trace=%file,%network,%process,lseek", *command],
            stdin=recording,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    first = next(n for n, call in enumerate(calls) if call.startswith("lseek(0, 0, SEEK_END)"))
    assert any(call.startswith("open") for call in calls[:first])
    harmless = ("lseek", "exit", "+++", "<... exit")
    assert [call for call in calls[first:] if not call.startswith(harmless)] == []


@pytest.mark.parametrize(
    "output",
    [
        "",
        "nonsense",
        '{"format": {}, "sample": "s16", "planar": false}',
        '{"error": {"code": "unheard_of", "detail": ""}}',
        '{"error": 3}',
        "[]",
        "{}",
        "[" * 50_000,
        HEAD,
        HEAD + r"\n\377\377\377\377",
        HEAD + r"\n\002\000\000\000\000",
        HEAD + r"\n\000\000\000\000{",
        HEAD + r'\n\000\000\000\000{"frames": 1}',
        HEAD + r'\n\000\000\000\000{"frames": 0, "cpu_s": []}',
        pytest.param(
            HEAD + rf'\n\000\000\000\000{{"frames": 0, "warnings": [], "cpu_s": {10**400}}}',
            id="a number that no float holds",
        ),
        HEAD.replace("8000", "Infinity"),
    ],
)
def test_decoder_process_that_sends_nonsense_is_an_error(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wav(tmp_path / "in.wav", tones())
    impostor = tmp_path / "python"
    impostor.write_text(f"#!/bin/sh\nprintf '{output}'\n")
    impostor.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(impostor))

    with pytest.raises(DecoderFailed):
        decode(tmp_path / "in.wav")


def test_decoder_that_cannot_be_started_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wav(tmp_path / "in.wav", tones())
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))

    with pytest.raises(DecoderFailed, match="cannot be started"):
        decode(tmp_path / "in.wav")


def test_decoder_process_loads_no_numpy():
    program = "import stemset.audio.decoder_process, sys; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
