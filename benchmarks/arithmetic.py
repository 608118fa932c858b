"""How fast this machine multiplies matrices, and how much a chunk of htdemucs asks for.

Runs in a process of its own, alone. The peak is the fastest of several products of 4096 × 4096
matrices by PyTorch; the operations of a chunk are counted by PyTorch as well.
Usage: arithmetic.py THREADS; prints JSON: the peak in FLOP/s by data type, a chunk's FLOPs.
"""

import json
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from stemset.catalogue.entries import find
from stemset.separation.networks.demucs import build

SIDE = 4096
PRODUCTS = 8
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MODEL = "htdemucs"


def main(threads: int) -> None:
    """Measure and count."""
    torch.set_num_threads(threads)
    peaks = {name: peak(kind) for name, kind in TYPES.items()}
    print(json.dumps({**peaks, "chunk_flop": chunk_flop()}))


def peak(kind: torch.dtype) -> float:
    """FLOP/s of the fastest product."""
    left, right = torch.rand(2, SIDE, SIDE).to(kind)
    result = torch.mm(left, right)
    spent_s: list[float] = []
    for _ in range(PRODUCTS):
        begun = time.perf_counter()
        torch.mm(left, right, out=result)
        spent_s.append(time.perf_counter() - begun)
    return 2 * SIDE**3 / min(spent_s)


def chunk_flop() -> int:
    """FLOPs of a network's run over one chunk, as its layers are written."""
    entry = find(MODEL)
    network = build(entry)
    # Fused into one operation, attention would not be counted.
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 2, entry.chunk_frames))
    return counter.get_total_flops()


if __name__ == "__main__":
    main(int(sys.argv[1]))
