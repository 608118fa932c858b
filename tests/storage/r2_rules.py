"""What Cloudflare R2 refuses of S3, as far as Stemset could come upon it."""

import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

MIB = 1 << 20
SECOND_S = 1.0
MAX_PARTS = 10_000

_PART = re.compile(rb"<PartNumber>(\d+)</PartNumber>")
_UNKNOWN_HEADERS = re.compile(
    r"x-amz-(acl|grant-|tagging|server-side-encryption-aws|server-side-encryption$|object-lock|"
    r"request-payer|sdk-checksum|trailer|storage-class$)",
)


@dataclass(frozen=True)
class Refusal:
    """An answer without asking the real server."""

    status: HTTPStatus
    code: str


@dataclass(frozen=True)
class Asked:
    """A call.

    Attributes:
        method: HTTP method.
        target: Path and query.
        headers: Headers.
    """

    method: str
    target: str
    headers: Message

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in query.items()}

    @property
    def bytes(self) -> int:
        return int(self.headers.get("Content-Length", 0))

    @property
    def is_part(self) -> bool:
        return self.method == "PUT" and "partNumber" in self.query

    @property
    def is_completion(self) -> bool:
        return self.method == "POST" and "uploadId" in self.query

    @property
    def is_write(self) -> bool:
        """Whether an object appears by it."""
        return self.is_completion or (self.method == "PUT" and not self.is_part)


@dataclass
class Rules:
    """R2's rules, and what they have to remember.

    Attributes:
        max_put_bytes: Longest body of one request.
        min_part_bytes: Shortest part but the last.
        write_every_s: How often a key may be written.
    """

    max_put_bytes: int = 4_995 * MIB * 1024 // 1000
    min_part_bytes: int = 5 * MIB
    write_every_s: float = SECOND_S
    _parts: dict[str, dict[int, int]] = field(default_factory=dict)
    _written_s: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refusal(self, asked: Asked, body: bytes) -> Refusal | None:
        """Why R2 would not take a call, None if it would.

        Args:
            asked: The call.
            body: Its body, if it is the list of parts of an upload.
        """
        with self._lock:
            return (
                self._of_headers(asked)
                or self._of_time(asked)
                or self._of_length(asked)
                or self._of_parts(asked, body)
                or self._of_pace(asked)
            )

    def _of_headers(self, asked: Asked) -> Refusal | None:
        names = [name.lower() for name in asked.headers]
        form = asked.headers.get("Content-Type", "").startswith("multipart/form-data")
        conditions = asked.is_completion and {"if-match", "if-none-match"} & set(names)
        if form or conditions or any(map(_UNKNOWN_HEADERS.match, names)):
            return Refusal(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented")
        return None

    def _of_time(self, asked: Asked) -> Refusal | None:
        if "X-Amz-Expires" not in asked.query:
            return None
        begins = datetime.strptime(asked.query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lasts = timedelta(seconds=int(asked.query["X-Amz-Expires"]))
        if lasts > timedelta(days=7):
            return Refusal(HTTPStatus.BAD_REQUEST, "AuthorizationQueryParametersError")
        if datetime.now(UTC) >= begins + lasts:
            return Refusal(HTTPStatus.BAD_REQUEST, "ExpiredRequest")
        return None

    def _of_length(self, asked: Asked) -> Refusal | None:
        if asked.method == "PUT" and "Content-Length" not in asked.headers:
            return Refusal(HTTPStatus.LENGTH_REQUIRED, "MissingContentLength")
        if asked.bytes > self.max_put_bytes:
            return Refusal(HTTPStatus.BAD_REQUEST, "EntityTooLarge")
        return None

    def _of_parts(self, asked: Asked, body: bytes) -> Refusal | None:
        if asked.is_part:
            number = int(asked.query["partNumber"])
            if not 1 <= number <= MAX_PARTS:
                return Refusal(HTTPStatus.BAD_REQUEST, "InvalidArgument")
            self._parts.setdefault(asked.query["uploadId"], {})[number] = asked.bytes
        elif asked.is_completion:
            if asked.query["uploadId"] not in self._parts:  # or completed by an earlier call
                return Refusal(HTTPStatus.NOT_FOUND, "NoSuchUpload")
            known = self._parts[asked.query["uploadId"]]
            sizes = [known.get(int(number), 0) for number in _PART.findall(body)]
            if any(size < self.min_part_bytes for size in sizes[:-1]):
                return Refusal(HTTPStatus.BAD_REQUEST, "EntityTooSmall")
            if len(set(sizes[:-1])) > 1 or (sizes[:-1] and sizes[-1] > sizes[0]):
                return Refusal(HTTPStatus.BAD_REQUEST, "InvalidPart")
        return None

    def _of_pace(self, asked: Asked) -> Refusal | None:
        if asked.is_write:
            now_s = time.monotonic()
            if now_s - self._written_s.get(asked.path, 0.0) < self.write_every_s:
                return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests")
            self._written_s[asked.path] = now_s
        if asked.is_completion:
            del self._parts[asked.query["uploadId"]]
        return None
