"""``stemset bench``: how fast this machine is, and what a strategy will cost on it."""

import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

from stemset.catalogue.entries import find
from stemset.catalogue.strategies import BUILT_IN, DEFAULT_STRATEGY, Node, find_strategy
from stemset.catalogue.weights import installed, installed_or_raise
from stemset.cli.bars import Bars, clock
from stemset.cli.progress import OnProgress
from stemset.config import load_settings
from stemset.pipeline.networks import Networks
from stemset.pipeline.speeds import Speed, remember
from stemset.separation.networks.libraries import missing_libraries

_HOUR_S = 3600


def run_bench(names: list[str], *, config: Path | None, as_json: bool) -> None:
    """Measure strategies, by default all that can run here, and print what they cost."""
    own = load_settings(config).strategies
    wanted = {name: find_strategy(name, own) for name in names} or _that_can_run(own)
    for strategy in wanted.values():
        for model in strategy.models():
            installed_or_raise(find(model), None)
    shows_bars = not as_json and sys.stderr.isatty()
    bars = Bars()
    networks = Networks()
    measured: list[Speed] = []
    for name, strategy in wanted.items():
        with bars.bar(name) if shows_bars else _silence() as on_progress:
            speed = _measure(name, strategy, networks, on_progress)
        if name not in own:  # a configuration's names mean something there alone
            remember(speed)
        measured.append(speed)
        if not as_json:
            sys.stdout.write(_in_words(speed))
            sys.stdout.flush()
    if as_json:
        facts = [asdict(speed) for speed in measured]
        sys.stdout.write(json.dumps({"schema_version": 1, "strategies": facts}) + "\n")


def _that_can_run(own: Mapping[str, Node]) -> dict[str, Node]:
    """All strategies whose models and libraries are here; the default one if there are none."""
    ready = {name: tree for name, tree in {**BUILT_IN, **own}.items() if _can_run(tree)}
    return ready or {DEFAULT_STRATEGY: find_strategy(DEFAULT_STRATEGY)}


def _can_run(strategy: Node) -> bool:
    models = [find(name) for name in strategy.models()]
    return all(installed(model) and not missing_libraries(model) for model in models)


def _measure(name: str, strategy: Node, networks: Networks, on_progress: OnProgress) -> Speed:
    # Loads the networks' runtimes, which a look at what is there does not need.
    from stemset.pipeline.measuring import measure  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="stemset-bench-") as folder:
        return measure(name, strategy, networks, Path(folder), on_progress=on_progress)


def _silence() -> AbstractContextManager[OnProgress]:
    return nullcontext(lambda _: None)


def _in_words(speed: Speed) -> str:
    return (
        f"{speed.strategy}: {speed.times_realtime:.3g} × realtime on {speed.device}, "
        f"{speed.cpu_s:.2g} CPU-seconds for a second of audio\n"
        f"  an hour of recording takes about {clock(_HOUR_S * speed.wall_s)}\n"
    )
