"""Hybrid Demucs and Hybrid Transformer Demucs, by Meta's Alexandre Défossez and Simon Rouard.

The addresses, hashes and lengths of the safetensors files are those that the package unblend 1.0.0
publishes; they hold the half-precision values of the original checkpoints, whose names end in the
first digits of their own hash. A file of these lengths is what the networks' keys and shapes make,
to the byte (``tests/separation/test_demucs_checkpoints.py``).

Sources: Défossez, "Hybrid spectrogram and waveform source separation", 2021, arXiv:2111.03600;
Rouard, Massa, Défossez, "Hybrid Transformers for music source separation", 2023, arXiv:2211.08553.
"""

from stemset.catalogue.entry import (
    NOT_GRANTED,
    Checkpoint,
    Files,
    Licence,
    ModelEntry,
    Network,
    PublishedFile,
    Score,
)

_UNBLEND = "https://huggingface.co/Ryan5453/unblend/resolve"
_FIRST = "9ba75778acf1b64fc40a9ea05137a2c6af9cd1d5"
_SIX = "1fe631b72a0e3085a1660d7073deb1ed15592f23"
_META = "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer"

_SLOTS = ("drums", "bass", "other", "vocals")
_SIX_SLOTS = (*_SLOTS, "guitar", "piano")
_HALF_PRECISION_BYTES = 84_023_856
_SEGMENT_FRAMES = 343_980  # 7.8 s
_LONG_SEGMENT_FRAMES = 1_940_400  # 44 s

_LICENCE = Licence(
    spdx=NOT_GRANTED,
    attribution="Trained by Meta Platforms, Inc. and affiliates.",
    read_at=(
        "The code of demucs is under the MIT licence, the weights were published without terms; "
        "the hub's cards said MIT from 2026-07-11 to 2026-08-31 and say nothing since."
    ),
)
_MULTISONG = "Multisong dataset, mean over the stems"
_MVSEP = "MVSep's leaderboard"


def _checkpoint(
    slots: tuple[str, ...],
    file: str,
    sha256: str,
    original: str,
    *,
    commit: str = _FIRST,
    size_bytes: int = _HALF_PRECISION_BYTES,
) -> Checkpoint:
    """Weights as a safetensors file, or as the original checkpoint ``<signature>-<hash>``."""
    return Checkpoint(
        slots,
        (
            PublishedFile(f"{_UNBLEND}/{commit}/{file}.safetensors", sha256, size_bytes),
            PublishedFile(f"{_META}/{original}.th", original.partition("-")[2]),
        ),
    )


def _entry(
    name: str,
    description: str,
    checkpoints: tuple[Checkpoint, ...],
    *,
    slots: tuple[str, ...] = _SLOTS,
    network: Network = Network.HTDEMUCS,
    chunk_frames: int = _SEGMENT_FRAMES,
    score_db: float | None = None,
) -> ModelEntry:
    scores = () if score_db is None else (Score("all four", score_db, _MULTISONG, _MVSEP),)
    return ModelEntry(
        name=name,
        description=description,
        network=network,
        slots=slots,
        closing_slot="other",
        closing_is_estimated=True,
        normalised=True,
        rate_hz=44_100,
        chunk_frames=chunk_frames,
        overlap_frames=chunk_frames // 4,
        source=Files(checkpoints),
        licence=_LICENCE,
        scores=scores,
    )


HTDEMUCS = _entry(
    "htdemucs",
    "Drums, bass, other and vocals, Hybrid Transformer Demucs: good all round.",
    (
        _checkpoint(
            _SLOTS,
            "htdemucs",
            "d3cb2f212d0652945fd033c26e1fbfdf9b6fbb9087aa6104def87f08b1016a81",
            "955717e8-8726e21a",
        ),
    ),
    score_db=9.16,
)

HTDEMUCS_FT = _entry(
    "htdemucs_ft",
    "Drums, bass, other and vocals, a Hybrid Transformer Demucs tuned for each: better than "
    "htdemucs, and four times its work unless fewer stems are asked for.",
    (
        _checkpoint(
            ("drums",),
            "htdemucs_ft-0",
            "c971eb902178a60d1729f665254030497c1ce0e170726b6f957828b9db97d942",
            "f7e0c4bc-ba3fe64a",
        ),
        _checkpoint(
            ("bass",),
            "htdemucs_ft-1",
            "0bc9bc7b6d78ba666ef55e16b7c61236c1651139bd62aea507f07a883b96ea40",
            "d12395a8-e57c48e6",
        ),
        _checkpoint(
            ("other",),
            "htdemucs_ft-2",
            "08f6c794334b0e8643ec0e2b0fc2d1a25d61d6ac69027aa3842e004b8a165b8d",
            "92cfc3b6-ef3bcb9c",
        ),
        _checkpoint(
            ("vocals",),
            "htdemucs_ft-3",
            "24403c0ea6cec19432eb41334f506c94c15b611074c24e3be96861f2c6534da1",
            "04573f0d-f3cf25b2",
        ),
    ),
    score_db=9.33,
)

HTDEMUCS_6S = _entry(
    "htdemucs_6s",
    "As htdemucs, with guitar and piano; the piano is weak.",
    (
        _checkpoint(
            _SIX_SLOTS,
            "htdemucs_6s",
            "8eafdbe0e57e024825610a0800ea0186683c3423e248b320915aeaebb35edaf4",
            "5c90dfd2-34c22ccb",
            commit=_SIX,
            size_bytes=54_884_136,
        ),
    ),
    slots=_SIX_SLOTS,
)

HDEMUCS_MMI = _entry(
    "hdemucs_mmi",
    "Drums, bass, other and vocals, Hybrid Demucs: the lightest of the four-stem ones.",
    (Checkpoint(_SLOTS, (PublishedFile(f"{_META}/75fc33f5-1941ce65.th", "1941ce65"),)),),
    network=Network.HDEMUCS,
    chunk_frames=_LONG_SEGMENT_FRAMES,
    score_db=8.88,
)
