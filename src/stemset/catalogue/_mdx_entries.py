"""MDX-Net, by KUIELab: one instrument a network, and by subtraction everything but it.

The networks are ONNX graphs, as they were published. Both hashes and lengths are what several
projects found that fetched the files. KUIELab's own record of its submission to the Music Demixing
Challenge 2021 (kuielab/mdx-net-submission, ``onnx/drums.onnx``, a pointer) has the drums' hash and
length too. A graph of the published architecture has these lengths but for 0.1 % of text
(``tests/separation/test_mdx_checkpoints.py``).

Source: Kim, Choi, Chung, Lee, Jung, "KUIELab-MDX-Net: a two-stream neural network for music
demixing", 2021, arXiv:2111.12203.
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

_RELEASE = "https://github.com/TRvlvr/model_repo/releases/download/all_public_uvr_models"
_HOP_FRAMES = 1024
# The original cuts half a window off at each border of a chunk. A raised cosine leaves out a
# sixteenth of the overlap at either side: as much.
_OVERLAP_WINDOWS = 8
_SONGS = "Songs of MUSDB18, most of them of its training part, median"
_SCORES = "nomadkaraoke/python-audio-separator, audio_separator/models-scores.json"


def _entry(
    name: str,
    description: str,
    slot: str,
    *,
    window_frames: int,
    windows: int,
    file: PublishedFile,
    read_at: str,
    score_db: float,
) -> ModelEntry:
    return ModelEntry(
        name=name,
        aliases=(file.name,),  # as other tools keep the file, and configurations name it
        description=description,
        network=Network.MDX_NET,
        slots=(slot,),
        closing_slot=None,
        rate_hz=44_100,
        chunk_frames=_HOP_FRAMES * (windows - 1),
        overlap_frames=_OVERLAP_WINDOWS * window_frames,
        source=Files((Checkpoint((slot,), (file,)),)),
        licence=Licence(
            spdx=NOT_GRANTED,
            attribution="Trained by KUIELab: Kim, Choi, Chung, Lee and Jung.",
            read_at=read_at,
        ),
        scores=(Score(slot, score_db, _SONGS, _SCORES),),
    )


KUIELAB_B_DRUMS = _entry(
    "kuielab_b_drums",
    "Drums, KUIELab's MDX-Net of 2021: small, and weaker than htdemucs_ft.",
    "drums",
    window_frames=4096,
    windows=128,
    file=PublishedFile(
        f"{_RELEASE}/kuielab_b_drums.onnx",
        "a6fecee758059b33ed99f6dabba297439b3e7cacfac4b1097bd324aff8052208",
        21_930_313,
    ),
    read_at=(
        "Published in kuielab/mdx-net-submission and in TRvlvr/model_repo, release "
        "all_public_uvr_models, without terms for the weights."
    ),
    score_db=7.1,
)

KUIELAB_A_BASS = _entry(
    "kuielab_a_bass",
    "Bass, KUIELab's MDX-Net of 2021: small, and nothing above 5.5 kHz.",
    "bass",
    window_frames=16_384,
    windows=512,
    file=PublishedFile(
        f"{_RELEASE}/kuielab_a_bass.onnx",
        "0c3e77b9963185b1ea6bb46a4b8924137d9370fc1ccdefec7b1b416ef550dcaa",
        29_703_204,
    ),
    read_at=(
        "Published in TRvlvr/model_repo, release all_public_uvr_models, without terms. "
        "One project takes KUIELab's own deposit, zenodo.org/record/5717356, as CC BY 4.0."
    ),
    score_db=10.4,
)
