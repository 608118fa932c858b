"""Which libraries a family of networks runs on, and whether they are here: none is imported."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import MappingProxyType

from stemset.catalogue.entry import ModelEntry
from stemset.catalogue.entry import Network as Family
from stemset.separation.networks.gpu import gpu_is_here

HOW_TO_INSTALL = "pip install 'stemset[torch,openvino]'"
"""What brings the libraries that the default installation leaves out."""

_DEMUCS = ("torch", "demucs", "safetensors")
_ROFORMER = ("torch", "bs_roformer", "demucs", "safetensors")  # demucs: to read checkpoints
_LIBRARIES: Mapping[Family, tuple[str, ...]] = MappingProxyType(
    {
        Family.SPLEETER: ("onnxruntime",),
        Family.HTDEMUCS: _DEMUCS,
        Family.HDEMUCS: _DEMUCS,
        Family.MEL_BAND_ROFORMER: _ROFORMER,
        Family.BS_ROFORMER: _ROFORMER,
        Family.MDX_NET: ("onnxruntime",),
    }
)
_OPENVINO = "openvino"
_KNOWN_TO_OPENVINO = frozenset({Family.HTDEMUCS, Family.MEL_BAND_ROFORMER, Family.BS_ROFORMER})
# A library can be published under several names, one for each kind of machine.
_PUBLISHED_AS = ("{}", "{}-gpu")


def missing_libraries(entry: ModelEntry) -> tuple[str, ...]:
    """The libraries that a model needs and that are not installed."""
    return tuple(name for name in _LIBRARIES[entry.network] if find_spec(name) is None)


def computed_by_openvino(entry: ModelEntry) -> bool:
    """Whether OpenVINO computes a model in PyTorch's place: it is here, and no GPU is."""
    return _is_for_openvino(entry) and find_spec(_OPENVINO) is not None


def openvino_would_help(entry: ModelEntry) -> bool:
    """Whether OpenVINO would compute a model in PyTorch's place, if it were installed."""
    return _is_for_openvino(entry) and find_spec(_OPENVINO) is None


def library_versions(entries: Iterable[ModelEntry]) -> dict[str, str]:
    """The versions of the libraries that models compute with, by the library's name."""
    names = dict.fromkeys(name for entry in entries for name in _computing(entry))
    return {name: found for name in names if (found := _version(name))}


def _is_for_openvino(entry: ModelEntry) -> bool:
    return entry.network in _KNOWN_TO_OPENVINO and not gpu_is_here()


def _computing(entry: ModelEntry) -> tuple[str, ...]:
    return (_OPENVINO,) if computed_by_openvino(entry) else _LIBRARIES[entry.network]


def _version(library: str) -> str | None:
    for form in _PUBLISHED_AS:
        with suppress(PackageNotFoundError):
            return version(form.format(library))
    return None
