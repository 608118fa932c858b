import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, signal, sys
from stemset.serving.stopping import told_to_stop

async def main():
    with told_to_stop(lambda name: print("told", name, flush=True)) as told:
        print("up", flush=True)
        await told.wait()
        if "hang" in sys.argv:
            await asyncio.sleep(60)
    print("default" if asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM) is False
          else "left", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def told():
    """Start a program that waits to be told to stop."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_first_signal_is_told_by_its_name_and_handlers_are_taken_back(told, name: str):
    process = told()
    process.send_signal(signal.Signals[name])

    out, _ = process.communicate(timeout=10)
    assert out == f"told {name}\ndefault\n"
    assert process.returncode == 0


def test_second_signal_ends_the_process_at_once(told):
    process = told("hang")
    process.terminate()
    assert process.stdout.readline() == "told SIGTERM\n"
    process.terminate()

    assert process.wait(10) == 1
