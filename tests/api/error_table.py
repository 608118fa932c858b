"""The table of the service's page that says which errors there are.

``python tests/api/error_table.py`` prints it.
"""

import sys
from collections.abc import Iterator
from typing import Any

from stemset.api.app import make_routes
from stemset.api.errors import CODES, DETAILS, INTERNAL

HEAD = "| status | code | again? | means |\n| --- | --- | --- | --- |\n"


def table() -> str:
    """All codes that an operation of the document can be refused with, by status."""
    rows = {(status, code): body for status, code, body in _documented(make_routes().openapi())}
    return HEAD + "".join(
        f"| {status} | `{code}` | {'yes' if body['retryable'] else ''} | {body['detail']} |\n"
        for (status, code), body in sorted(rows.items())
    )


def _documented(document: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json", {})
                for code, example in content.get("examples", {}).items():
                    yield int(status), code, example["value"]["error"]
    for status in (404, 405):  # of paths and methods that are none, which no operation can name
        yield (
            status,
            CODES[status],
            {"detail": "There is no such path or method.", "retryable": False},
        )
    yield 500, INTERNAL, {"detail": DETAILS[INTERNAL], "retryable": True}


if __name__ == "__main__":
    sys.stdout.write(table())
