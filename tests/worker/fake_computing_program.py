"""A computing process that computes nothing, and does what an order's strategy says.

``{"_": "fake", …}`` with: ``gate``, a file that is waited for before the end; ``burn``, to use all
of a core meanwhile; ``eta_s``, what the first progress says; ``chatter``, a number of reports in a
row; ``ask``, lists of files that links are wanted for; ``crash``, to end without a word; ``fail``,
a code to fail with. With ``FAKE_READY_GATE`` it is ready when that file is there.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stemset.lifeline import end_with_reader
from stemset.orders.checks import Inspect, Inspected, is_inspect, parse_inspect
from stemset.orders.messages import (
    Failure,
    LinkWanted,
    Order,
    Ready,
    Report,
    Status,
    parse_links,
    parse_order,
)
from stemset.orders.phase import Phase


def main() -> None:
    end_with_reader()
    sys.stdin.readline()
    wait_for(os.environ.get("FAKE_READY_GATE"))
    say(Ready(device="fake", engine="0").line())
    for line in sys.stdin:
        if is_inspect(line.encode()):
            inspect(parse_inspect(line))
        else:
            work(parse_order(line))


def inspect(wanted: Inspect) -> None:
    """A model can be called for what is to happen."""
    name, _, argument = (wanted.models or ("",))[0].partition(":")
    if name == "crash":
        os._exit(3)
    if name == "gate":
        wait_for(argument)
    say(Inspected(seq=wanted.seq, device="fake", scratch_free_bytes=1 << 30).line())


def work(order: Order) -> None:
    wishes = dict(order.strategy)
    numbers = iter(range(1 << 30))

    def report(status: Status = Status.PROGRESS, **facts: Any) -> None:
        number = next(numbers)
        known = {"job_id": order.job_id, "attempt": order.attempt, "seq": number, "status": status}
        say(Report(**known, **facts).line())

    report(Status.ACCEPTED)
    report(phase=Phase.SEPARATING, progress=0.5, eta_s=wishes.get("eta_s"))
    for number in range(wishes.get("chatter", 0)):
        report(phase=Phase.ENCODING, progress=0.6, eta_s=float(number))
    urls = list(ask(wishes.get("ask", []), report))
    if wishes.get("crash"):
        os._exit(3)
    wait_for(wishes.get("gate"), burn=wishes.get("burn", False))
    if code := wishes.get("fail"):
        report(Status.ERROR, error=Failure(code=code, detail="As ordered.", retryable=False))
    else:
        report(Status.COMPLETE, progress=1.0, stems=("vocals", *urls), timings={"separating": 0.1})


def ask(questions: list[list[str]], report: Callable[..., None]) -> Iterator[str]:
    for names in questions:
        wanted = tuple(LinkWanted(method="PUT", name=name, bytes=1) for name in names)
        report(phase=Phase.UPLOADING, progress=0.9, wanted=wanted)
        yield from parse_links(sys.stdin.readline()).urls


def wait_for(gate: str | None, *, burn: bool = False) -> None:
    while gate and not Path(gate).exists():
        if burn:
            json.dumps([json.loads("[1, 2, 3]") for _ in range(2_000)])
        else:
            time.sleep(0.005)


def say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
