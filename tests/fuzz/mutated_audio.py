"""Damaged recordings of all formats, each given to a decoder process; what became of them."""

import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

from mutations import mutant

from stemset.audio.decode import DecodeLimits, Decoder
from stemset.errors import InputError

LIMITS = DecodeLimits(max_duration_s=60)
"""A minute of audio, 75 CPU-seconds, 1 GiB."""

HANG_S = 100.0
"""Longer than the CPU time that a decoder process has, on a machine with other work."""
# In a process of its own: what is here stays small, for the sake of `largest_bytes`.
_WRITE = """
import sys
from pathlib import Path
sys.path[:] = sys.argv[2:]
from audio_sources import write_sources
write_sources(Path(sys.argv[1]))
"""


@dataclass
class Account:
    """What became of damaged recordings.

    Attributes:
        ends: How many were decoded, or refused with a code.
        signals: How many times a signal ended the decoder process, by its name.
        slowest_s: The longest that one took, and its number.
        largest_bytes: Upper bound of the most memory of a decoder process (its resident set): at
            least that of the process that started it, which the system counts in.
        faults: What must not be, with the number of the recording.
    """

    ends: Counter[str] = field(default_factory=Counter[str])
    signals: Counter[str] = field(default_factory=Counter[str])
    slowest_s: tuple[float, int] = (0.0, -1)
    largest_bytes: int = 0
    faults: list[str] = field(default_factory=list[str])

    def add(self, other: "Account") -> None:
        """Take another account into this one."""
        self.ends += other.ends
        self.signals += other.signals
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.largest_bytes = max(self.largest_bytes, other.largest_bytes)
        self.faults += other.faults

    def __str__(self) -> str:
        """Return it in a few lines."""
        ends = ", ".join(f"{code} {count:,}" for code, count in self.ends.most_common())
        signals = ", ".join(f"{name} {count}" for name, count in self.signals.items()) or "none"
        seconds, number = self.slowest_s
        return "\n".join(
            (
                f"{self.ends.total():,} recordings: {ends}",
                f"ended by a signal: {signals}",
                f"slowest: {seconds:.1f} s (number {number})",
                f"most memory: {self.largest_bytes / 1e6:.0f} MB at most",
                *(f"BROKEN: {fault}" for fault in self.faults),
            )
        )


def run(seed: int, count: int, tell: Callable[[str], None]) -> Account:
    """Decode so many damaged recordings, two at once, and tell the account every now and then."""
    account = Account()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        subprocess.run([sys.executable, "-c", _WRITE, made, *sys.path], check=True)
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            parts = [range(start, min(start + 50, count)) for start in range(0, count, 50)]
            for done in as_completed(pool.submit(decode_mutants, folder, seed, p) for p in parts):
                account.add(done.result())
                if account.ends.total() % 1000 == 0:
                    tell(str(account))
    return account


def decode_mutants(sources: Path, seed: int, numbers: Iterable[int]) -> Account:
    """Damage recordings, and decode them one after the other.

    Args:
        sources: A folder with whole ones.
        seed: What is done to them goes by it, and by the number.
        numbers: Which ones are made.
    """
    account = Account()
    whole = sorted(sources.iterdir())
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            _decode(mutant(whole, seed, number), number, Path(folder) / "recording", account)
    account.largest_bytes = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return account


def _decode(content: bytes, number: int, path: Path, account: Account) -> None:
    path.write_bytes(content)
    start = time.monotonic()
    try:
        with _at_most(HANG_S), Decoder(path, LIMITS) as decoder:
            for block in decoder:
                assert block.shape[1] > 0
        end = "decoded"
    except InputError as error:
        end = error.code
        if by := re.search(r"ended by (SIG\w+)", str(error)):
            account.signals[by.group(1)] += 1
        elif end == "decoder_failed" and "more than the allowed" not in str(error):
            account.faults.append(f"{number}: {error}")
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        end = "fault"
        account.faults.append(f"{number}: {error!r}")
    account.ends[end] += 1
    account.slowest_s = max(account.slowest_s, (time.monotonic() - start, number))


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
