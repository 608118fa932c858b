"""The API's document: ``python -m stemset.api.openapi`` prints it.

What holds for all routes alike is added here, so that no route can forget it: which refusals a
token, an origin, a body or a database that is away can lead to.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from stemset.api.errors import (
    SCHEMA_NAME,
    ErrorBody,
    add_example,
    example_of,
    http_example,
    status_of,
)
from stemset.errors import (
    DatabaseUnavailable,
    Forbidden,
    OriginRefused,
    RateLimited,
    Unauthenticated,
)

TAGS = [
    {"name": "uploads", "description": "Recordings, on their way in."},
    {"name": "recordings", "description": "Recordings that are here."},
    {"name": "jobs", "description": "Splitting a recording: order, follow, cancel, try again."},
    {"name": "costs", "description": "What computing costs."},
    {"name": "outputs", "description": "What was made: stems, waveforms, levels."},
    {"name": "media", "description": "Bytes to play and to download."},
    {"name": "events", "description": "What changes, as it changes."},
    {"name": "profiles", "description": "What can be asked for."},
    {"name": "models", "description": "What does the work, and whether it is here."},
    {"name": "pairing", "description": "Phones on the same network."},
    {"name": "sign-in", "description": "People with a browser: signing in, and out."},
    {"name": "members", "description": "Who may sign in, and what was done."},
    {"name": "worker", "description": "For workers, not for people."},
    {"name": "health", "description": "For whoever keeps the service running."},
]

_DESCRIPTION = (
    "Stemset splits recordings into stems. Every refusal has one form: "
    '`{"error": {"code", "detail", "retryable"}}`; a `code` never changes its meaning. '
    "JSON is UTF-8, names a key once, nests at most 64 deep, and holds no NUL, no half of a "
    "surrogate pair and no integer beyond 64 bits."
)
_REFERENCE = "#/components/schemas/{model}"
_OF_CALLERS = (Unauthenticated, Forbidden, RateLimited, DatabaseUnavailable)
_SECTIONS = re.compile(r"\n\n(?:Args|Returns|Raises):\n")
_UNWANTED = ("HTTPValidationError", "ValidationError")


def document(app: FastAPI) -> dict[str, Any]:
    """Make the document of an application."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=_DESCRIPTION,
        tags=TAGS,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name in _UNWANTED:
        schemas.pop(name, None)
    written = ErrorBody.model_json_schema(ref_template=_REFERENCE)
    schemas.update(written.pop("$defs"))
    schemas[SCHEMA_NAME] = written
    for operation in _operations(made):
        _add_common(operation)
        _summarise(operation)
    return made


def _summarise(operation: dict[str, Any]) -> None:
    """Take the summary from the first line of the route's docstring, and what is for us out."""
    written = _SECTIONS.split(operation.pop("description", ""))[0].replace("``", "`")
    first, _, rest = written.strip().partition("\n")
    operation["summary"] = first.removesuffix(".")
    if rest.strip():
        operation["description"] = rest.strip()


def _add_common(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    for leaf in (OriginRefused, *(_OF_CALLERS if "security" in operation else ())):
        add_example(answers, str(status_of(leaf())), example_of(leaf))
    statuses = [408, 413] if "requestBody" in operation else []
    if "requestBody" in operation or "parameters" in operation:
        statuses.append(422)
    # What a route says in words alone.
    statuses += [int(s) for s, said in answers.items() if s >= "400" and "content" not in said]
    for status in statuses:
        add_example(answers, str(status), http_example(status))
    operation["responses"] = dict(sorted(answers.items()))


def _operations(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in made.get("paths", {}).values():
        yield from (each for each in path.values() if "responses" in each)


def main() -> None:
    """Print the document."""
    from stemset.api.app import make_routes  # noqa: PLC0415 - it imports this module

    json.dump(make_routes().openapi(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
