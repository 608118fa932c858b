"""`scripts/build_page.py`: when it builds the page, and what is left when it cannot."""

import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from page_build import ROOT, WEB


def build_page_module() -> ModuleType:
    spec = spec_from_file_location("build_page", ROOT / "scripts" / "build_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILDER = build_page_module()


@pytest.fixture
def page(tmp_path: Path, built_page: Path) -> Any:
    """A copy of the page's sources, with the packages that are installed already."""
    del built_page
    shutil.copytree(WEB, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "web" / "node_modules").symlink_to(WEB / "node_modules")
    (tmp_path / "src" / "stemset").mkdir(parents=True)
    return BUILDER.Page(tmp_path)


def made_at(page: Any) -> int:
    return (page.built / "index.html").stat().st_mtime_ns


def test_page_is_built_once(page: Any):
    assert not page.is_current()
    page.build()
    first = made_at(page)

    page.build()

    assert page.is_current()
    assert made_at(page) == first


def test_page_is_built_again_when_a_source_changes(page: Any):
    page.build()
    first = made_at(page)
    index = page.sources / "index.html"
    index.write_text(index.read_text().replace("<title>Stemset", "<title>Changed"))

    page.build()

    assert made_at(page) > first
    assert "<title>Changed" in (page.built / "index.html").read_text()


def test_page_is_not_built_again_when_a_test_changes(page: Any):
    page.build()
    first = made_at(page)
    (page.sources / "src" / "app.test.tsx").write_text("// another test")

    page.build()

    assert made_at(page) == first


def test_page_that_somebody_removed_is_built_again(page: Any):
    page.build()
    shutil.rmtree(page.built)

    page.build()

    assert page.is_current()


def test_page_stays_when_its_sources_cannot_be_built(page: Any):
    page.build()
    first = made_at(page)
    (page.sources / "src" / "main.tsx").write_text("import './nowhere';")

    with pytest.raises(BUILDER.BuildFailed, match=r"nowhere[\s\S]*This failed: npm run build"):
        page.build()

    assert made_at(page) == first
    assert not page.is_current()
    assert [each.name for each in (page.built.parent).iterdir()] == ["_web"]


def test_page_without_node_says_how_to_get_it(page: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(BUILDER, "find_spec", lambda _name: None)

    with pytest.raises(BUILDER.BuildFailed, match="scripts/setup web"):
        page.build()

    assert not page.built.exists()


def test_node_is_the_projects_own():
    assert BUILDER.node_folder().is_relative_to(sys.prefix)
