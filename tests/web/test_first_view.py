"""What a browser must load before the first view is there."""

import gzip
import logging
import re
from pathlib import Path

log = logging.getLogger(__name__)

LIMIT_BYTES = 150_000
_NAMED_BY_INDEX = re.compile(r'(?:src|href)="/(assets/[^"]+\.js)"')
# Not `import("…")`, which waits until something is wanted.
_IMPORTED = re.compile(r'(?:\bfrom|\bimport)\s*"\./([^"]+\.js)"')


def first_view_scripts(page: Path) -> set[Path]:
    """The scripts that the index names, and all that these import at once."""
    wanted = [page / name for name in _NAMED_BY_INDEX.findall((page / "index.html").read_text())]
    found: set[Path] = set()
    while wanted:
        script = wanted.pop()
        if script not in found:
            found.add(script)
            imported = _IMPORTED.findall(script.read_text("utf-8"))
            wanted += [script.with_name(name) for name in imported]
    return found


def test_first_view_takes_few_bytes_of_script(built_page: Path):
    scripts = first_view_scripts(built_page)

    bytes_each = {path.name: len(gzip.compress(path.read_bytes())) for path in sorted(scripts)}
    log.info(
        "scripts of the first view, gzipped: %s, %d in all", bytes_each, sum(bytes_each.values())
    )
    assert scripts
    assert sum(bytes_each.values()) <= LIMIT_BYTES


def test_player_is_loaded_when_it_is_opened(built_page: Path):
    later = set((built_page / "assets").glob("*.js")) - first_view_scripts(built_page)

    assert [path.name for path in later if path.name.startswith("player-page")]
