"""What a measurement says, as a table and as JSON."""

import json
import os
import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("stemset", "onnxruntime", "openvino", "torch", "demucs", "numpy", "av", "soxr")


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        figure: What was measured.
        value: The number.
        unit: Its unit.
        target: What must be reached, in words; empty for a figure that only informs.
        met: Whether it is; None without a target.
        detail: Where the number comes from: runs, median, spread.
    """

    figure: str
    value: float
    unit: str = ""
    target: str = ""
    met: bool | None = None
    detail: str = ""


def at_most(limit: float, figure: str, value: float, unit: str = "", detail: str = "") -> Row:
    """A figure that must not exceed a limit."""
    return Row(figure, value, unit, f"≤ {limit:g}", value <= limit, detail)


def at_least(limit: float, figure: str, value: float, unit: str = "", detail: str = "") -> Row:
    """A figure that must not fall below a limit."""
    return Row(figure, value, unit, f"≥ {limit:g}", value >= limit, detail)


@dataclass(frozen=True)
class Report:
    """What one run measures, and what it is measured on.

    Attributes:
        machine: The machine.
        versions: What computes on it.
        command: What was typed.
        measured_at: When the run began.
        sections: The figures, by the name of their group.
    """

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    command: str
    measured_at: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    sections: dict[str, tuple[Row, ...]] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, str]:
        """All that the figures depend on, by name."""
        return {"command": self.command, **self.machine, **self.versions}

    def table(self) -> str:
        """All figures as a Markdown table."""
        return figures_table(row for rows in self.sections.values() for row in rows)

    def write_json(self, path: Path) -> None:
        """Write everything for programs."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")


def figures_table(rows: Iterable[Row]) -> str:
    """Draw figures as a Markdown table."""
    return markdown_table(
        ("figure", "value", "target", "", "how"),
        (
            (
                row.figure,
                f"{row.value:.4g} {row.unit}".strip(),
                row.target,
                {True: "met", False: "missed", None: ""}[row.met],
                row.detail,
            )
            for row in rows
        ),
    )


def markdown_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Draw a table whose columns line up."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    drawn = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)


def machine() -> dict[str, str]:
    """The machine that this runs on."""
    return {
        "processor": processor(),
        "cores": str(cores()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
    }


def cores() -> int:
    """Cores that a process may use."""
    if platform.system() == "Linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name, with the vector instructions that matter for networks."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    vectors = [
        flag
        for flag in ("avx2", "avx512f", "avx512_bf16")
        if flag in facts.get("flags", "").split()
    ]
    return ", ".join([facts.get("model name", platform.processor()), *vectors])


def own_versions() -> dict[str, str]:
    """The versions of Stemset and of what it computes with, as far as it is installed."""
    versions: dict[str, str] = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
