"""Our parsers, given what fuzzing found, and damage to it."""

import subprocess
import sys
from pathlib import Path

import parsers
import pytest
from mutations import mutant
from parsers import PARSERS

SEED = 1
COUNT = 300


@pytest.mark.parametrize("name", PARSERS)
def test_parser_given_its_corpus_raises_nothing_but_refusals(name: str):
    inputs = PARSERS[name].inputs(name)

    assert inputs
    for path in inputs:
        PARSERS[name].survive(path.read_bytes())


@pytest.mark.parametrize("name", PARSERS)
def test_parser_given_damage_raises_nothing_but_refusals(name: str):
    inputs = PARSERS[name].inputs(name)

    for number in range(COUNT):
        data = mutant(inputs, SEED, number)
        try:
            PARSERS[name].survive(data)
        except Exception as error:
            raise AssertionError(f"{name}, number {number}: {data!r}") from error


def test_corpus_is_small_and_has_a_folder_for_each_parser():
    assert {folder.name for folder in parsers.CORPUS.iterdir()} == set(PARSERS)
    assert sum(path.stat().st_size for path in parsers.CORPUS.glob("*/*")) < 200_000


def test_fuzzer_ends_at_what_is_no_refusal(tmp_path: Path):
    pytest.importorskip("atheris", reason="atheris is for Linux on x86-64 and Python below 3.14")
    program = (
        "import guided, parsers\n"
        "parsers.PARSERS['planted'] = parsers.Parser(parsers.check_json)\n"
        "guided.main()\n"
    )
    command = [sys.executable, "-c", program, "planted", tmp_path, "-runs=1000", "-seed=1"]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode != 0
    assert "NotJson" in done.stdout + done.stderr
    assert list(tmp_path.glob("crash-*"))
