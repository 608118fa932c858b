"""The rooms: who may import whom, and what importing a room loads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "stemset"
ROOMS = sorted(
    path.stem
    for path in PACKAGE.iterdir()
    if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
)

TYPER = {
    "annotated_doc",
    "click",
    "markdown_it",
    "mdurl",
    "pygments",
    "rich",
    "shellingham",
    "typer",
    "typing_extensions",
}
PYDANTIC = {
    "annotated_types",
    "dotenv",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "standardwebhooks",
    "typing_extensions",
    "typing_inspection",
    "yaml",
}
STRUCTLOG = {"attr", "greenlet", "pygments", "rich", "structlog", "typing_extensions"}
# Extension modules bring these along; they are no packages.
INTERNAL = ("_", "cython_runtime")
# Third-party packages that `import stemset.<room>` may load. A room's `__init__` is light: whoever
# asks for a name or a list waits for no engine.
MAY_LOAD: dict[str, set[str]] = {
    "__main__": TYPER,
    "api": set(),
    "audio": set(),
    "catalogue": {"platformdirs"},
    "cli": TYPER,
    "config": PYDANTIC,
    "dispatch": set(),
    "errors": set(),
    "http_rules": set(),
    "jobs": set(),
    "lifeline": set(),
    "metrics": {"prometheus_client"},
    "orders": set(),
    "pipeline": set(),
    "postgres": set(),
    "separation": set(),
    "serving": set(),
    "storage": set(),
    "telemetry": STRUCTLOG,
    "worker": set(),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied_package(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE, tmp_path / "stemset", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contract_rooms_as_they_are_holds(copied_package: Path):
    result = lint_imports(copied_package)

    assert result.returncode == 0, result.stdout


def test_contract_import_upwards_is_found(copied_package: Path):
    formats = copied_package / "stemset" / "audio" / "formats.py"
    formats.write_text(formats.read_text() + "\nimport stemset.cli\n")

    result = lint_imports(copied_package)

    assert result.returncode == 1
    assert "stemset.audio.formats -> stemset.cli" in result.stdout


def test_contract_room_without_layer_is_found(copied_package: Path):
    (copied_package / "stemset" / "attic.py").touch()

    result = lint_imports(copied_package)

    assert result.returncode == 1
    assert "stemset.attic" in result.stdout


def test_may_load_table_names_every_room():
    assert set(MAY_LOAD) == set(ROOMS)


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_import_in_fresh_interpreter_loads_only_what_the_room_may(room: str):
    module = f"stemset.{room}".rstrip(".")

    assert third_party_loaded_by(module) <= MAY_LOAD.get(room, set())


def third_party_loaded_by(module: str) -> set[str]:
    program = (
        "import sys; before = set(sys.modules)\n"
        f"import {module}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before}"
        " - sys.stdlib_module_names - {'stemset'})"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name for name in result.stdout.split() if not name.startswith(INTERNAL)}
