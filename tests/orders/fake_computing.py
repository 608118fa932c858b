"""A computing process that does what the order's strategy is called, and nothing else.

Its settings' ``scratch`` is a folder: what it reads goes into ``heard.jsonl`` there, with its own
process id. Its first argument is what it does before it takes orders.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOREVER_S = 3600
HEARD = "heard.jsonl"


def say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


class Attempt:
    """An order, what there is to say on it, and the folder to note things in."""

    def __init__(self, order: dict[str, Any], folder: Path) -> None:
        self.play, _, self.argument = order["strategy_name"].partition(":")
        self.ids = {"job_id": order["job_id"], "attempt": order["attempt"]}
        self.folder = folder
        self.seq = 0

    def report(self, status: str, **facts: Any) -> None:
        say(json.dumps({**self.ids, "seq": self.seq, "status": status, **facts}))
        self.seq += 1

    def progress(self, progress: float, phase: str = "separating", **facts: Any) -> None:
        self.report("progress", phase=phase, progress=progress, **facts)


def ok(attempt: Attempt) -> None:
    attempt.progress(0.75)


def end_by_signal(attempt: Attempt) -> None:
    os.kill(os.getpid(), int(attempt.argument))
    hang(attempt)


def end_with_status(attempt: Attempt) -> None:
    raise SystemExit(int(attempt.argument))


def hang(_attempt: Attempt) -> None:
    time.sleep(FOREVER_S)


def repeat(attempt: Attempt) -> None:
    """Talk, and get nowhere."""
    while True:
        attempt.progress(0.25)
        time.sleep(0.02)


def slow(attempt: Attempt) -> None:
    """Talk, and get somewhere."""
    for step in range(int(attempt.argument)):
        attempt.progress(0.25 + 0.001 * step)
        time.sleep(0.05)


def garbage(attempt: Attempt) -> None:
    say(attempt.argument)
    hang(attempt)


def long_line(attempt: Attempt) -> None:
    say("x" * 400_000)
    hang(attempt)


def torn_line(_attempt: Attempt) -> None:
    say('{"job_id": "jo', end="")
    os.kill(os.getpid(), signal.SIGSEGV)


def mute(attempt: Attempt) -> None:
    """Work on where nobody can hear it."""
    os.close(1)
    hang(attempt)


def family(attempt: Attempt) -> None:
    sleeper = subprocess.Popen(["sleep", str(FOREVER_S)])
    note(attempt.folder, {"kind": "sleeper"}, sleeper.pid)
    attempt.progress(0.5)
    if attempt.argument:
        end_by_signal(attempt)
    hang(attempt)


def strangers(attempt: Attempt) -> None:
    """Say what is about other attempts."""
    for stranger in ({"job_id": "other"}, {"attempt": 7}):
        last = {"seq": 50, "status": "complete", "progress": 1.0}
        say(json.dumps({**attempt.ids, **stranger, **last}))


def backwards(attempt: Attempt) -> None:
    attempt.progress(0.75)
    attempt.progress(0.0)


def links(attempt: Attempt) -> None:
    wanted = [{"method": "PUT", "name": "vocals.flac"}]
    attempt.report("progress", phase="uploading", wanted=wanted)
    attempt.progress(0.9, "uploading")
    hear(attempt.folder)


def killed_after_the_end(attempt: Attempt) -> None:
    attempt.report("complete", progress=1.0, stems=["vocals"])
    os.kill(os.getpid(), signal.SIGKILL)


PLAYS: dict[str, Callable[[Attempt], None]] = {
    "ok": ok,
    "signal": end_by_signal,
    "exit": end_with_status,
    "hang": hang,
    "repeat": repeat,
    "slow": slow,
    "garbage": garbage,
    "long": long_line,
    "torn": torn_line,
    "mute": mute,
    "family": family,
    "strangers": strangers,
    "backwards": backwards,
    "links": links,
    "late": killed_after_the_end,
}


def carry_out(attempt: Attempt) -> None:
    attempt.report("accepted")
    attempt.progress(0.25)
    if attempt.play == "fail":
        error = {"code": attempt.argument, "detail": "So it is.", "retryable": False}
        attempt.report("error", error=error)
        return
    PLAYS[attempt.play](attempt)
    attempt.report("complete", progress=1.0, stems=["vocals"])


def inspect(question: dict[str, Any]) -> None:
    """A model is called what is to happen."""
    play, _, argument = question["models"][0].partition(":")
    if play == "exit":
        raise SystemExit(int(argument))
    if play == "slow":
        time.sleep(float(argument))
    if play == "garbage":
        say('{"version":1,"kind":"inspected","seq":"no number"}')
        return
    seq = question["seq"] + (play == "another")
    say(f'{{"version":1,"kind":"inspected","seq":{seq},"device":"{play}"}}')


def hear(folder: Path | None = None) -> dict[str, Any]:
    """Read a line and note it; the first one, the settings, says where."""
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    message = json.loads(line)
    note(folder or Path(message["scratch"]), message, os.getpid())
    return message


def note(folder: Path, message: dict[str, Any], pid: int) -> None:
    with (folder / HEARD).open("a") as file:
        file.write(json.dumps({"pid": pid, "message": message}) + "\n")


def main() -> None:
    begin = sys.argv[1] if len(sys.argv) > 1 else ""
    folder = Path(hear()["scratch"])
    if begin == "die":
        raise SystemExit(4)
    if begin == "never":
        time.sleep(FOREVER_S)
    if begin == "babble":
        say("Loading network…")
    say(json.dumps({"kind": "ready", "device": "cpu", "engine": "0"}))
    while True:
        message = hear(folder)
        if message["kind"] == "inspect":
            inspect(message)
        else:
            carry_out(Attempt(message, folder))


if __name__ == "__main__":
    main()
