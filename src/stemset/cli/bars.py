"""Progress bars on a terminal: one line for each recording that something is done with."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stemset.cli.progress import OnProgress, Phase, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_WORDS = {
    Phase.WAKING: "waking the worker",
    Phase.LOADING: "loading the network",
    Phase.UPLOADING_STEMS: "uploading stems",
    Phase.FETCHING_STEMS: "fetching stems",
}


class Bars:
    """The bars at the bottom of the terminal, for as long as there are any."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._bars: RichProgress | None = None
        self._lock = threading.Lock()

    @contextmanager
    def bar(self, name: str) -> Iterator[OnProgress]:
        """Show a bar for as long as the context lasts; any thread may move it."""
        with self._lock:
            bars = self._bars = self._bars or _new_bars()
            bars.start()
            task = bars.add_task("", total=1.0, file=name, doing="")

        phase = ""

        def show(progress: Progress) -> None:
            nonlocal phase
            is_new, phase = progress.phase != phase, progress.phase
            doing = in_words(progress)
            bars.update(task, completed=progress.fraction, doing=doing, refresh=is_new)

        try:
            yield show
        finally:
            with self._lock:
                bars.remove_task(task)
                if not bars.tasks:
                    bars.stop()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bars away while something is written; any thread may write."""
        with self._lock:
            bars = self._bars if self._bars and self._bars.tasks else None
            if bars:
                bars.stop()
            try:
                yield
            finally:
                if bars:
                    bars.start()


def in_words(progress: Progress) -> str:
    """``separating, 3:05 left``."""
    words = _WORDS.get(Phase(progress.phase), progress.phase)
    return words if progress.eta_s is None else f"{words}, {clock(progress.eta_s)} left"


def clock(seconds: float) -> str:
    """``0.8 s``, ``12 s``, ``3:05``, ``2:03:05``."""
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth is worth showing
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _new_bars() -> "RichProgress":
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as RichProgress  # noqa: PLC0415

    columns = (
        TextColumn("{task.fields[file]}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[doing]}", markup=False),
    )
    return RichProgress(*columns, console=Console(stderr=True), transient=True)
