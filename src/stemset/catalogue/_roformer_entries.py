"""Mel-Band RoFormer and BS-RoFormer: vocals, and by subtraction everything but them.

Kimberley Jensen's checkpoint is downloaded as the safetensors file that the package unblend 1.0.0
publishes; a file of this length is what the network's keys and shapes make, to the byte
(``tests/separation/test_roformer_checkpoints.py``). The original checkpoint is as good where it is
on disk: its hash and length are the hub's record, as several projects note it. Of viperx'
checkpoint there is only the original, which was published without a hash: this one is what several
projects found that fetched it, one of them Wenshuishi0528/amt-studio
(``workers/separator/pins.json``).

Sources: Lu, Wang, Kong, Hung, "Music source separation with band-split RoPE transformer", 2023,
arXiv:2309.02612; Wang, Lu, Won, "Mel-band RoFormer for music source separation", 2023,
arXiv:2310.01809.
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

# The aliases are the names of the files as other tools keep them, which configurations name.
_SLOTS = ("vocals",)
_CHUNK_FRAMES = 352_800  # 8 s
_OVERLAP_FRAMES = 176_400  # half, so that two chunks see every frame
_MULTISONG = "Multisong dataset"
_TRAINING = "ZFTurbo/Music-Source-Separation-Training, docs/pretrained_models.md"


def _entry(
    name: str,
    description: str,
    *,
    alias: str,
    network: Network,
    forms: tuple[PublishedFile, ...],
    licence: Licence,
    score_db: float,
) -> ModelEntry:
    return ModelEntry(
        name=name,
        aliases=(alias,),
        description=description,
        network=network,
        slots=_SLOTS,
        closing_slot=None,
        rate_hz=44_100,
        chunk_frames=_CHUNK_FRAMES,
        overlap_frames=_OVERLAP_FRAMES,
        source=Files((Checkpoint(_SLOTS, forms),)),
        licence=licence,
        scores=(Score("vocals", score_db, _MULTISONG, _TRAINING),),
    )


MELBAND_ROFORMER_KIM = _entry(
    "melband_roformer_kim",
    "Vocals, Kimberley Jensen's Mel-Band RoFormer: very good, and slow without a GPU.",
    alias="vocals_mel_band_roformer.ckpt",
    network=Network.MEL_BAND_ROFORMER,
    forms=(
        PublishedFile(
            "https://huggingface.co/Ryan5453/unblend/resolve/"
            "9ba75778acf1b64fc40a9ea05137a2c6af9cd1d5/melband_roformer_kim.safetensors",
            "03bfc70b43df1f3e92ed1e582e8b18983f8d4adcd1a7d2133ada3b2f371b3095",
            912_885_624,
        ),
        PublishedFile(
            "https://huggingface.co/KimberleyJSN/melbandroformer/resolve/"
            "ac9b0614ab3cd7f77219e18ba494dfd93956c348/MelBandRoformer.ckpt",
            "87201f4d31afb5bc79993230fc49446918425574db48c01c405e44f365c7559e",
            913_106_900,
        ),
    ),
    licence=Licence(
        spdx="MIT",
        attribution="Trained by Kimberley Jensen.",
        read_at="The card of KimberleyJSN/melbandroformer on the hub, at commit ac9b061.",
    ),
    score_db=10.98,
)

BS_ROFORMER_EP317 = _entry(
    "bs_roformer_ep317",
    "Vocals, viperx' BS-RoFormer: as good as melband_roformer_kim, and three times its work.",
    alias="model_bs_roformer_ep_317_sdr_12.9755.ckpt",
    network=Network.BS_ROFORMER,
    forms=(
        PublishedFile(
            "https://github.com/TRvlvr/model_repo/releases/download/"
            "all_public_uvr_models/model_bs_roformer_ep_317_sdr_12.9755.ckpt",
            "5b84f37e8d444c8cb30c79d77f613a41c05868ff9c9ac6c7049c00aefae115aa",
            639_331_213,
        ),
    ),
    licence=Licence(
        spdx=NOT_GRANTED,
        attribution="Trained by viperx.",
        read_at="Published in TRvlvr/model_repo, release all_public_uvr_models, without terms.",
    ),
    score_db=10.87,
)
