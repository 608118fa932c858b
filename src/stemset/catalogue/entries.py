"""The models that Stemset can load.

``find("spleeter-2stems")`` gives an entry; ``CATALOGUE`` holds them all, in the order in which
they are shown. Whether the weights are on this machine is the business of ``weights``.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from stemset.catalogue._demucs_entries import HDEMUCS_MMI, HTDEMUCS, HTDEMUCS_6S, HTDEMUCS_FT
from stemset.catalogue._mdx_entries import KUIELAB_A_BASS, KUIELAB_B_DRUMS
from stemset.catalogue._roformer_entries import BS_ROFORMER_EP317, MELBAND_ROFORMER_KIM
from stemset.catalogue._spleeter_entries import SPLEETER_2STEMS
from stemset.catalogue.entry import NOT_GRANTED, ModelEntry
from stemset.errors import LicenceRefused, UnknownModel

_ALL = (
    SPLEETER_2STEMS,
    HTDEMUCS,
    HTDEMUCS_FT,
    HTDEMUCS_6S,
    HDEMUCS_MMI,
    MELBAND_ROFORMER_KIM,
    BS_ROFORMER_EP317,
    KUIELAB_B_DRUMS,
    KUIELAB_A_BASS,
)

CATALOGUE: Mapping[str, ModelEntry] = MappingProxyType({entry.name: entry for entry in _ALL})
_BY_ALIAS = {alias: entry for entry in _ALL for alias in entry.aliases}


def find(name: str) -> ModelEntry:
    """Look a model up by its name or an alias of it.

    Raises:
        UnknownModel: The catalogue has none of this name; the message lists those it has.
    """
    if entry := CATALOGUE.get(name) or _BY_ALIAS.get(name):
        return entry
    meant = get_close_matches(name, (*CATALOGUE, *_BY_ALIAS), n=1)
    hint = f" Did you mean {meant[0]}?" if meant else ""
    raise UnknownModel(f"There is no model {name!r}.{hint} Known models: {', '.join(CATALOGUE)}.")


def is_allowed(entry: ModelEntry, allowed: Collection[str] | None) -> bool:
    """Whether a model's licence is among the allowed ones; see ``check_licence``."""
    spdx = entry.licence.spdx.casefold()
    return allowed is None or spdx in {name.casefold() for name in allowed}


def check_licence(entry: ModelEntry, allowed: Collection[str] | None) -> None:
    """Refuse a model whose licence is not among the allowed ones.

    Args:
        entry: The model.
        allowed: SPDX identifiers in any case, None to allow every licence.

    Raises:
        LicenceRefused: The model's licence is not allowed.
    """
    if allowed is None or is_allowed(entry, allowed):
        return
    spdx = entry.licence.spdx
    terms = "given without written terms" if spdx == NOT_GRANTED else f"under {spdx}"
    raise LicenceRefused(
        f"The weights of {entry.name} are {terms}, "
        f"and only {', '.join(allowed) or 'no licence'} is allowed."
    )
