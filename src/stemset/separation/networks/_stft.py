"""The short-time Fourier transform of networks whose transform stands outside their graph.

Source: Griffin & Lim, "Signal estimation from modified short-time Fourier transform", 1984.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stemset.separation.network import Samples

Spectrum = NDArray[np.complex64]


class Stft:
    """A short-time Fourier transform of signals of one length, and its inverse.

    Windows have a periodic Hann shape. Those of a transform reach beyond the signal by what it is
    continued by, on both sides. An even inverse divides by what the sum of the squared windows is
    in the midst of a signal, so that it fades where windows are missing; any other divides by the
    sum of the windows that are there, so that ``inverse(forward(x)) == x`` up to rounding.
    """

    def __init__(
        self,
        frames: int,
        *,
        window_frames: int,
        hop_frames: int,
        before: int,
        after: int | None = None,
        mode: Literal["constant", "reflect"] = "constant",
        even: bool = False,
    ) -> None:
        """Set up the transform.

        Args:
            frames: Length of the signals; the windows must cover it.
            window_frames: Length of a window.
            hop_frames: Frames from one window to the next.
            before: Frames that a signal is continued by in front.
            after: The same behind, by default as many.
            mode: What a signal is continued by: silence, or its mirror image.
            even: Whether the inverse divides by the same everywhere.
        """
        self._frames = frames
        self._window_frames = window_frames
        self._hop = hop_frames
        self._pad = (before, before if after is None else after)
        self._mode: Literal["constant", "reflect"] = mode
        self.windows = (frames + sum(self._pad) - window_frames) // hop_frames + 1
        phase = np.arange(window_frames) / window_frames
        window = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
        self._window = window.astype(np.float32)
        if even:
            self._gain: NDArray[np.float32] | float = hop_frames / float((window**2).sum())
        else:
            squared = np.broadcast_to(window**2, (self.windows, window_frames))
            self._gain = (1 / self._trim(self._overlap(squared))).astype(np.float32)

    def forward(self, signal: Samples) -> Spectrum:
        """Transform a signal (frames,) to a spectrum (windows, bins)."""
        padded = np.pad(signal, self._pad, self._mode)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self._window_frames)
        windows = windows[:: self._hop][: self.windows]
        return np.fft.rfft(windows * self._window).astype(np.complex64, copy=False)

    def inverse(self, spectrum: Spectrum, out: Samples) -> None:
        """Transform a spectrum (windows, bins) back into ``out`` (frames,)."""
        windows = np.fft.irfft(spectrum, n=self._window_frames)
        windows *= self._window
        np.multiply(self._trim(self._overlap(windows)), self._gain, out=out)

    def _overlap(self, windows: NDArray[np.floating]) -> NDArray[np.floating]:
        """Add windows (windows, window_frames), each a hop after the one before it."""
        # A window falls into parts of a hop's length, the last of them filled up with zeros.
        hops = -(-self._window_frames // self._hop)
        total = np.zeros((self.windows + hops - 1, self._hop), windows.dtype)
        for hop in range(hops):
            part = windows[:, hop * self._hop : (hop + 1) * self._hop]
            total[hop : hop + self.windows, : part.shape[1]] += part
        return total.reshape(-1)

    def _trim(self, padded: NDArray[np.floating]) -> NDArray[np.floating]:
        return padded[self._pad[0] : self._pad[0] + self._frames]
