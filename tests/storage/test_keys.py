import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemset.errors import InvalidKey
from stemset.storage.keys import (
    attempt_folder,
    check_input_key,
    claim_key,
    hashed_filename,
    input_key,
    metadata_key,
    output_name,
    parse_attempt_folder,
    safe_filename,
    slug,
)

SHA256 = "ab" * 32


@pytest.mark.parametrize(
    "name", ["take.wav", "Übung 3 (live).WAV", "日本語.flac", "a+b & c.mp3", "🎸.ogg"]
)
def test_filename_that_can_be_a_key_stays_as_it_is(name: str) -> None:
    assert safe_filename(name, SHA256) == name
    assert check_input_key(input_key("h4n", name)) == f"inputs/h4n/{name}"
    assert claim_key("h4n", name) == f"claims/h4n/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a/b.wav",
        "nul\0.wav",
        "line\r\nbreak.wav",
        "x" * 300 + ".wav",
        "\u202egpj.wav",
        ".hidden.wav",
        " .wav",
        "100%25.wav",
        "what?.wav",
        "",
        "\udcff.wav",
    ],
)
def test_filename_that_cannot_be_a_key_becomes_the_hash(name: str) -> None:
    safe = safe_filename(name, SHA256)

    assert safe.startswith(SHA256)
    assert safe == hashed_filename(name, SHA256)
    assert input_key("h4n", safe)
    with pytest.raises(InvalidKey):
        input_key("h4n", name)


def test_hashed_filename_keeps_a_plain_suffix_only() -> None:
    assert hashed_filename("take.WAV", SHA256) == f"{SHA256}.wav"
    assert hashed_filename("take.w/v", SHA256) == SHA256
    assert hashed_filename("take", SHA256) == SHA256


@given(st.text(max_size=250))
def test_safe_filename_of_any_text_is_a_legal_key_of_one_level(name: str) -> None:
    key = input_key("h4n", safe_filename(name, SHA256))

    assert key.count("/") == 2
    assert len(key.encode()) < 1024
    assert unicodedata.is_normalized("NFC", key)
    assert check_input_key(key) == key


def test_attempt_folders_of_two_jobs_with_one_output_name_differ() -> None:
    one = attempt_folder("h4n", "take_12345678", "0123456789abcdef", 1)
    two = attempt_folder("h4n", "take_12345678", "fedcba9876543210", 1)

    assert one.prefix == "outputs/h4n/take_12345678/01234567-1"
    assert two.prefix != one.prefix
    assert parse_attempt_folder(one.prefix) == one
    assert attempt_folder("h4n", "take_12345678", "0123456789abcdef", 12).number == 12


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "outputs/h4n/take",
        "outputs/h4n/take/01234567-0",
        "outputs/h4n/take/01234567-1/more",
        "outputs/h4n/../x/01234567-1",
        "outputs/h4n/ta..ke/01234567-1",
        "outputs//take/01234567-1",
        "inputs/h4n/take/01234567-1",
        "outputs/h4n/take/01234567-1\n",
    ],
)
def test_attempt_folder_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidKey):
        parse_attempt_folder(prefix)


@pytest.mark.parametrize("file", ["../x", "a/b", "", ".claim", "x\n", "a..b", "é.opus"])
def test_file_that_no_attempt_makes_is_refused(file: str) -> None:
    with pytest.raises(InvalidKey):
        attempt_folder("h4n", "take", "01234567", 1).key(file)


@pytest.mark.parametrize("profile", ["", "../h4n", "h4n/x", "-h4n", "h 4n"])
def test_profile_that_is_none_is_refused(profile: str) -> None:
    with pytest.raises(InvalidKey):
        metadata_key(profile, "take")


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("Übung 3 (live).take.WAV", "ubung-3-live-take_abababab"),
        ("日本語.flac", "recording_abababab"),
        ("bad\udcff.wav", "bad_abababab"),
        (".wav", "wav_abababab"),
        ("", "recording_abababab"),
        ("a" * 90 + ".wav", "a" * 60 + "_abababab"),
    ],
)
def test_output_name_is_the_files_stem_made_safe_and_the_hash(filename: str, name: str) -> None:
    assert output_name(filename, SHA256) == name
    assert metadata_key("h4n", name) == f"outputs/h4n/{name}/metadata.json"


def test_output_name_takes_as_many_digits_as_it_is_told() -> None:
    assert output_name("take.wav", SHA256, 9) == "take_ababababa"


@given(st.text())
def test_output_name_of_any_text_can_be_a_key(filename: str) -> None:
    assert set(slug(filename)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    metadata_key("h4n", output_name(filename, SHA256))
