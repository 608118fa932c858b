"""``stemset strategies``: what can be asked for."""

import json
import sys
from pathlib import Path

from stemset.catalogue.strategies import BUILT_IN, DEFAULT_STRATEGY, Node
from stemset.config import load_settings


def run_strategies(config: Path | None, *, as_json: bool) -> None:
    """Print every strategy with its stems and models."""
    own = load_settings(config).strategies
    known = {**BUILT_IN, **own}
    if as_json:
        listed = [_as_json(name, strategy, own=name in own) for name, strategy in known.items()]
        sys.stdout.write(json.dumps({"schema_version": 1, "strategies": listed}) + "\n")
        return
    for name, strategy in known.items():
        mark = " (default)" if name == DEFAULT_STRATEGY else " (configured)" if name in own else ""
        stems, models = ", ".join(strategy.stems()), ", ".join(strategy.models())
        sys.stdout.write(f"{name}{mark}\n  stems: {stems}\n  models: {models}\n")


def _as_json(name: str, strategy: Node, *, own: bool) -> dict[str, object]:
    return {
        "name": name,
        "default": name == DEFAULT_STRATEGY,
        "configured": own,
        "stems": strategy.stems(),
        "models": strategy.models(),
        "tree": strategy.tree(),
    }
