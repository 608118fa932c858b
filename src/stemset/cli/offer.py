"""The offer of a better model, where a person used the default one."""

from stemset.catalogue.entries import find
from stemset.catalogue.entry import NOT_GRANTED
from stemset.catalogue.strategies import DEFAULT_STRATEGY
from stemset.catalogue.weights import installed
from stemset.separation.networks.libraries import HOW_TO_INSTALL, missing_libraries

_BETTER = "htdemucs"  # the least that is better: one file of 84 MB, and a CPU is enough


def offer(strategy_name: str) -> str | None:
    """What there is to say after a strategy was used, None if nothing."""
    if strategy_name != DEFAULT_STRATEGY:
        return None
    better = find(_BETTER)
    steps = [HOW_TO_INSTALL] if missing_libraries(better) else []
    if installed(better):
        steps.append(f"stemset split -s {_BETTER}")
        return f"tip: {_BETTER}, which is installed, makes better stems: {', then '.join(steps)}"
    steps.append(f"stemset models install {_BETTER}")
    licence = better.licence.spdx
    size_mb = (better.source.size_bytes or 0) / 1e6
    return (
        f"tip: {_BETTER} makes better stems, {', '.join(better.slots)} ({size_mb:.0f} MB, licence "
        f"{'none stated' if licence == NOT_GRANTED else licence}): {', then '.join(steps)}"
    )
