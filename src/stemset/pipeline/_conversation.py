"""The computing process's side of the conversation: what it hears and what it says."""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from stemset.errors import LinkExpired, StemsetError
from stemset.orders.checks import Inspect, is_inspect, parse_inspect
from stemset.orders.messages import (
    Failure,
    Links,
    LinkWanted,
    Message,
    Order,
    Report,
    Status,
    parse_links,
    parse_order,
)
from stemset.orders.phase import Phase
from stemset.pipeline.attempt import Done
from stemset.storage.exchange import Wanted

_LINKS_WITHIN_S = 120.0


class Lines:
    """Standard output, a message a line."""

    def __init__(self, out: BinaryIO) -> None:
        """Write to ``out``."""
        self._out = out
        self._lock = threading.Lock()

    def say(self, message: Message) -> None:
        """Write a message; any thread may."""
        with self._lock:
            self._out.write(message.line())
            self._out.flush()


class Voice:
    """What an attempt says; any thread may speak."""

    def __init__(self, order: Order, out: Lines, device: str | None = None) -> None:
        """Begin to speak of an order: it is accepted.

        Args:
            order: The order.
            out: Where to speak.
            device: What computes, as far as it is known before the order is begun.
        """
        self._order = order
        self._out = out
        self._device = device
        self._seq = 0
        self._progress = 0.0
        self._lock = threading.Lock()
        self._report(Status.ACCEPTED)

    def tell(self, phase: Phase, progress: float, eta_s: float | None) -> None:
        """Say how far it is."""
        left = None if eta_s is None else round(eta_s, 1)
        self._progress = round(progress, 4)
        self._report(Status.PROGRESS, phase=phase, progress=self._progress, eta_s=left)

    def want(self, wanted: Sequence[Wanted]) -> Report:
        """Say which links are waited for; the answer names this report."""
        links = tuple(
            LinkWanted(
                method=each.method,
                name=each.name,
                bytes=each.bytes,
                part=each.part,
                parts=each.parts,
                etags=each.etags,
            )
            for each in wanted
        )
        phase = Phase.UPLOADING if any(each.name for each in wanted) else Phase.DOWNLOADING
        return self._report(Status.PROGRESS, phase=phase, progress=self._progress, wanted=links)

    def complete(self, done: Done) -> None:
        """Say that it is whole."""
        self._report(Status.COMPLETE, progress=1.0, stems=done.stems, timings=done.timings)

    def fail(self, error: StemsetError) -> None:
        """Say why it is not."""
        self._report(Status.ERROR, error=Failure.of(error))

    def _report(self, status: Status, **facts: object) -> Report:
        with self._lock:
            report = Report(
                job_id=self._order.job_id,
                attempt=self._order.attempt,
                seq=self._seq,
                status=status,
                device=self._device,
                **facts,  # type: ignore[arg-type]
            )
            self._seq += 1
            self._out.say(report)
        return report


class Inbox:
    """Standard input, sorted: work waits its turn, links go to the thread that asked."""

    def __init__(self, source: BinaryIO) -> None:
        """Begin to read."""
        self._source = source
        self._failure: StemsetError | None = None
        self._work: queue.Queue[Order | Inspect | None] = queue.Queue()
        self._answers: list[Links] = []
        self._came = threading.Condition()
        threading.Thread(target=self._read, name="stemset-inbox", daemon=True).start()

    def work(self) -> Iterator[Order | Inspect]:
        """What is to be done, as it comes, until the input ends.

        Raises:
            InvalidOrder: It is none of either.
            UnsupportedVersion: It is of a higher version.
        """
        while (wanted := self._work.get()) is not None:
            yield wanted
        if self._failure:
            raise self._failure

    def links(self, asked: Report) -> Sequence[str]:
        """The answer to a report that asked for links. Raises LinkExpired if none comes."""
        limit = time.monotonic() + _LINKS_WITHIN_S
        with self._came:
            while (answer := self._answer(asked)) is None:
                if not self._came.wait(limit - time.monotonic()):
                    raise LinkExpired(
                        f"{len(asked.wanted)} links were asked for, and none came within "
                        f"{_LINKS_WITHIN_S:.0f} s."
                    )
        return answer.urls

    def _answer(self, asked: Report) -> Links | None:
        for answer in self._answers:
            if (answer.job_id, answer.attempt, answer.seq) == (
                asked.job_id,
                asked.attempt,
                asked.seq,
            ):
                self._answers.remove(answer)
                return answer
        return None

    def _read(self) -> None:
        try:
            for line in self._source:
                self._sort(line)
        except StemsetError as error:
            self._failure = error
        self._work.put(None)

    def _sort(self, line: bytes) -> None:
        if b'"kind":"links"' not in line:
            self._work.put(parse_inspect(line) if is_inspect(line) else parse_order(line))
            return
        with self._came:
            self._answers.append(parse_links(line))
            self._came.notify_all()
