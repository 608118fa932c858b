"""Uploads in parts whose parts somebody else puts, with presigned links.

obstore uploads in parts by itself and gives no part away, so begin, links and end are here. Nothing
is remembered between calls: an upload that was begun and not ended is found in the bucket, so
whoever makes the links can be another process than before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from stemset.errors import StorageRefused, StorageUnavailable
from stemset.storage._refusals import code_in, refusal
from stemset.storage._sigv4 import check_endpoint, presign
from stemset.storage._transport import Body, Link, Transport
from stemset.storage.calls import counted
from stemset.storage.settings import StoreSettings

_CALL_LASTS_S = 300


@dataclass(frozen=True, slots=True)
class Part:
    """A part that lies in the bucket.

    Attributes:
        number: Its number, from 1.
        bytes: Its length.
        etag: What names its content when the object is made of the parts.
        put_at: When it was put.
    """

    number: int
    bytes: int
    etag: str
    put_at: datetime


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An upload that was begun and not ended.

    Attributes:
        key: Where the object is to lie.
        upload_id: The upload's id.
        begun_at: When it was begun.
    """

    key: str
    upload_id: str
    begun_at: datetime


class Multipart:
    """Uploads in parts to a bucket. Every call raises StorageUnavailable, StorageRefused."""

    def __init__(self, settings: StoreSettings) -> None:
        """Reach a bucket. Raises StorageRefused if it is none."""
        if settings.kind != "s3":
            raise StorageRefused("Only a bucket can make presigned links.")
        check_endpoint(settings.endpoint)
        self._settings = settings
        self._transport = Transport(settings.retry_s)

    def upload_id(self, key: str) -> str | None:
        """The upload to a key that is under way, None if there is none.

        Of several (an answer to ``begin`` was lost) it is always the same one.
        """
        its = (each.upload_id for each in self.under_way(key) if each.key == key)
        return min(its, default=None)

    def begin(self, key: str) -> str:
        """Begin an upload; returns the id of the one to go on with."""
        begun = self.begin_another(key)
        return self.upload_id(key) or begun

    def begin_another(self, key: str) -> str:
        """Begin an upload whatever else is under way; returns its id, which the caller keeps."""
        answer = self._call("POST", key, {"uploads": ""})
        return _text(_parse(answer, key), "UploadId")

    def part_url(self, key: str, upload_id: str, part: int, *, expires_s: int) -> str:
        """Where to put a part, numbered from 1."""
        query = {"partNumber": str(part), "uploadId": upload_id}
        return self._presigned("PUT", key, query, expires_s)

    def parts(self, key: str, upload_id: str) -> Iterator[Part]:
        """The parts that were put, in order. Raises ObjectNotFound."""
        marker = "0"
        while marker:
            query = {"uploadId": upload_id, "part-number-marker": marker}
            root = _parse(self._call("GET", key, query), key)
            for part in root.iterfind("{*}Part"):
                number, length = int(_text(part, "PartNumber")), int(_text(part, "Size"))
                yield Part(number, length, _text(part, "ETag"), _moment(part, "LastModified"))
            is_cut = root.findtext("{*}IsTruncated") == "true"
            marker = _text(root, "NextPartNumberMarker") if is_cut else ""

    def complete(self, key: str, upload_id: str, etags: Sequence[str]) -> None:
        """Make the object of its parts.

        Raises:
            ObjectCorrupt: A part is missing or is not the one that was put.
            ObjectNotFound: There is no such upload, for example because it was completed.
        """
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in enumerate(etags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = self._call("POST", key, {"uploadId": upload_id}, body)
        # Sent with 200 and the first bytes of the answer, an error can only be in its text.
        if code := code_in(answer.decode("utf-8", "replace")):
            raise refusal(0, code, key)

    def abort(self, key: str, upload_id: str) -> None:
        """Drop an upload and its parts. Raises ObjectNotFound."""
        self._call("DELETE", key, {"uploadId": upload_id})

    def under_way(self, prefix: str) -> Iterator[UnderWay]:
        """Uploads whose keys begin so that were begun and not ended."""
        marker: Mapping[str, str] | None = {}
        while marker is not None:
            query = {"uploads": "", "prefix": prefix, **marker}
            root = _parse(self._call("GET", "", query), prefix)
            for upload in root.iterfind("{*}Upload"):
                key, upload_id = _text(upload, "Key"), _text(upload, "UploadId")
                yield UnderWay(key, upload_id, _moment(upload, "Initiated"))
            marker = _next_upload(root)

    def _call(
        self, method: str, key: str, query: Mapping[str, str], body: bytes | None = None
    ) -> bytes:
        link = Link(lambda: self._presigned(method, key, query, _CALL_LASTS_S))
        what = key or query.get("prefix", "")
        with counted("multipart"):
            return self._transport.call(method, what, link, lambda: Body(content=body))

    def _presigned(self, method: str, key: str, query: Mapping[str, str], expires_s: int) -> str:
        now = datetime.now(UTC)
        return presign(self._settings, method, key, query, expires_s=expires_s, now=now)


def _parse(answer: bytes, what: str) -> ET.Element:
    """Read an answer of the bucket that the settings name; expat bounds what entities expand to."""
    try:
        return ET.fromstring(answer)  # noqa: S314 - see above
    except ET.ParseError as error:
        raise StorageUnavailable(f"The bucket's answer for {what} cannot be read.") from error


def _next_upload(root: ET.Element) -> Mapping[str, str] | None:
    """Where the next page of uploads begins, None after the last."""
    if root.findtext("{*}IsTruncated") != "true":
        return None
    return {
        "key-marker": _text(root, "NextKeyMarker"),
        "upload-id-marker": _text(root, "NextUploadIdMarker"),
    }


def _moment(element: ET.Element, name: str) -> datetime:
    return datetime.fromisoformat(_text(element, name))


def _text(element: ET.Element, name: str) -> str:
    text = element.findtext(f"{{*}}{name}")
    if not text:
        raise StorageUnavailable(f"The bucket's answer holds no {name}.")
    return text
