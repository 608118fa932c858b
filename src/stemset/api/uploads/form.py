"""A form with one file, read block by block: what browsers send for ``FormData``."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

FILE = "file"
PROFILE = "profile_name"

_MAX_PARTS = 16
_MAX_FIELD_BYTES = 4096


def malformed(place: str, what: str) -> RequestValidationError:
    """The error that a form is not as it must be."""
    return RequestValidationError([{"type": "form", "loc": ("body", place), "msg": what}])


class Form:
    """A form that is being read.

    Attributes:
        filename: The file's name as it was sent, None until its part begins.
        before_file: The fields that came before the file, of those that mean something.
    """

    def __init__(self, content_type: str) -> None:
        """Begin. Raises RequestValidationError if the type is not that of such a form."""
        self.filename: str | None = None
        self.before_file: Mapping[str, str] = {}
        self._fields: dict[str, bytearray] = {}
        self._field: bytearray | None = None
        self._is_in_file = False
        self._file_blocks: list[bytes] = []
        self._parts = 0
        self._header = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._value = bytearray()
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise malformed(
                FILE, "a form of the type multipart/form-data with a boundary is needed"
            )
        try:
            self._parser = MultipartParser(options[b"boundary"], self._callbacks())
        except FormParserError as error:
            raise malformed(FILE, "the form's boundary is too long") from error

    @property
    def fields(self) -> Mapping[str, str]:
        """Fields that came so far, those that are whole and those that are not."""
        return {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}

    def feed(self, block: bytes) -> list[bytes]:
        """Read a block of the form; returns what it holds of the file.

        Raises:
            RequestValidationError: It is no form, or has two files, or too many fields.
        """
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise malformed(FILE, "the form cannot be read") from error
        came, self._file_blocks = self._file_blocks, []
        return came

    def end(self) -> str:
        """The form has ended; returns the file's name as it was sent.

        Raises:
            RequestValidationError: It ended too early, or held no file.
        """
        if self._parser.state != MultipartState.END:
            raise malformed(FILE, "the form ended early")
        if not self.filename:
            raise malformed(FILE, "the form holds no file of this name")
        return self.filename

    def _callbacks(self) -> Any:
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
        }

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise malformed(FILE, f"the form has more than {_MAX_PARTS} fields")
        self._headers = {}
        self._is_in_file, self._field = False, None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name == FILE and b"filename" in options:
            if self.filename is not None:
                raise malformed(FILE, "the form holds two files of this name")
            self.filename = options[b"filename"].decode("utf-8", "replace")
            self.before_file = self.fields
            self._is_in_file = True
        elif name in self._fields:
            raise malformed(name, "the form has two fields of this name")
        elif name == PROFILE:  # others are read over, however often they come
            self._field = self._fields[name] = bytearray()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_in_file:
            self._file_blocks.append(data[start:end])
        elif self._field is not None:
            self._field += data[start:end]
            if len(self._field) > _MAX_FIELD_BYTES:
                raise malformed(FILE, f"a field has more than {_MAX_FIELD_BYTES:,} bytes")
