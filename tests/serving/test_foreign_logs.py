import json
import subprocess
import sys

PROGRAM = """
import logging
from stemset.serving.foreign_logs import take_foreign_logs
from stemset.telemetry import configure_logs

configure_logs()
take_foreign_logs("kitchen")
logging.getLogger("library").info("chatter")
logging.getLogger("library").warning("hot %s", "pan")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("library").exception("burnt")
"""


def test_warnings_of_libraries_become_lines_of_the_room():
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30
    ).stderr

    warning, error = [json.loads(line) for line in said.splitlines()]
    assert (warning["event"], warning["level"]) == ("hot pan", "warning")
    assert (warning["room"], warning["library"]) == ("kitchen", "library")
    assert (error["event"], error["level"]) == ("burnt", "error")
    assert "ZeroDivisionError" in error["exception"]
