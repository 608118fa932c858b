"""Answering a request for an object: whole, a range, only its head, or that it is known."""

from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

from stemset.api.errors import http_refusal
from stemset.api.media.body import StoredBody
from stemset.api.media.ranges import Part, Version, is_known, part_of, version_of
from stemset.api.service import Service

KEPT_FOR_EVER = "private, max-age=31536000, immutable"
"""An attempt's files never change, and nobody else writes into its folder."""


async def serve(
    service: Service, request: Request, key: str, headers: Mapping[str, str]
) -> Response:
    """Answer with an object, or the part of it that a request asks for.

    Args:
        service: What routes have.
        request: The request, ``GET`` or ``HEAD``.
        key: The object.
        headers: Further headers of the answer, ``content-type`` among them.

    Raises:
        ObjectNotFound: There is none.
        StorageError: The store does not answer.
    """
    version = version_of(await service.threads.run(service.store.head, key))
    known = {
        **headers,
        "cache-control": KEPT_FOR_EVER,
        "etag": version.etag,
        "last-modified": version.last_modified,
        "accept-ranges": "bytes",
    }
    if is_known(request.headers, version):
        return Response(None, 304, known)
    whole = Part(0, version.bytes)
    if request.method == "HEAD":  # which has no ranges
        return Response(None, 200, known | {"content-length": str(whole.length)})
    part = part_of(request.headers, version)
    if part is not None and not part.length:
        detail = f"The file has {version.bytes} bytes; the range begins beyond them."
        return http_refusal(416, detail, {"content-range": f"bytes */{version.bytes}"})
    return await _send(service, key, part, version, known)


async def _send(
    service: Service, key: str, part: Part | None, version: Version, headers: dict[str, str]
) -> Response:
    status, sent = (200, Part(0, version.bytes)) if part is None else (206, part)
    # Opened before the answer begins: what cannot be opened is answered in due form.
    chunks = await service.threads.run(
        service.store.stream, key, offset=sent.offset, length=sent.length
    )
    headers["content-length"] = str(sent.length)
    if part is not None:
        last = part.offset + part.length - 1
        headers["content-range"] = f"bytes {part.offset}-{last}/{version.bytes}"
    return StoredBody(service.threads, chunks, status_code=status, headers=headers)
