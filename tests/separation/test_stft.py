"""The transform against PyTorch's, and back."""

from typing import Literal

import numpy as np
import pytest

from stemset.separation.networks._stft import Stft

_FRAMES = 40_000


def _noise() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(_FRAMES).astype(np.float32)


@pytest.mark.parametrize(("window", "hop"), [(4096, 1024), (16_384, 1024), (2048, 441)])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_it_is_the_centred_transform_of_pytorch_and_its_inverse_gives_the_signal_back(
    window: int, hop: int, mode: Literal["constant", "reflect"]
) -> None:
    torch = pytest.importorskip("torch")
    signal = _noise()
    transform = Stft(_FRAMES, window_frames=window, hop_frames=hop, before=window // 2, mode=mode)
    theirs = torch.stft(
        torch.from_numpy(signal),
        window,
        hop,
        window=torch.hann_window(window),
        center=True,
        pad_mode=mode,
        return_complex=True,
    ).numpy()

    spectrum = transform.forward(signal)

    assert np.abs(spectrum - theirs.T).max() < 2e-6 * np.abs(theirs).max()
    again = np.empty_like(signal)
    transform.inverse(spectrum, out=again)
    covered = (transform.windows - 1) * hop
    assert np.abs(again - signal)[:covered].max() < 1e-5


def test_an_even_inverse_fades_where_windows_are_missing_and_gives_the_middle_back() -> None:
    signal = _noise()[: 39 * 1024]
    transform = Stft(len(signal), window_frames=4096, hop_frames=1024, before=0, even=True)
    again = np.empty_like(signal)

    transform.inverse(transform.forward(signal), out=again)

    assert np.abs(again - signal)[3072:-3072].max() < 1e-5
    assert np.abs(again[:64]).max() < 1e-3
