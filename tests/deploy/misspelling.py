"""Every way in which one field of a file can be misspelt."""

import copy
from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]


def misspelt(written: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give the path of each field, and the file with that one misspelt."""
    for path in _mappings(written):
        for key in _at(written, path):
            mutated = copy.deepcopy(written)
            mapping = _at(mutated, path)
            mapping[f"{key}s"] = mapping.pop(key)
            yield (*path, key), mutated


def _mappings(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from _mappings(item, (*path, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value
