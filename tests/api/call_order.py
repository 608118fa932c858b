"""Which calls can follow from an answer, and where their ids stand in it.

``body/NAME`` is a member of the answer, ``path/NAME`` a parameter of the call that it answers,
``url/NAME`` a parameter of the address that the answer gives, and ``=VALUE`` the value itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

_RECORDING = {"recording_id": "body/recording_id"}
_OF_RECORDING = {"recording_id": "path/recording_id"}
_UPLOAD = {"upload_id": "body/upload_id"}
_OF_UPLOAD = {"upload_id": "path/upload_id"}
_FIRST_PART = {"part": "=1"}
_JOB = {"job_id": "body/job_id"}
_OF_JOB = {"job_id": "path/job_id"}
_OUTPUT = {"output_id": "body/output_id"}
_OF_OUTPUT = {"output_id": "path/output_id"}
_EXPORT = {"export_id": "body/export_id"}
_OF_EXPORT = {"export_id": "path/export_id"}
_SIGNED = {"expires": "url/expires", "signature": "url/signature"}

BEGINNINGS = ("upload", "upload", "begin_upload", "process", "list_uploads", "list_recordings")
FOLLOWING: Mapping[tuple[str, int], Mapping[str, Mapping[str, str]]] = {
    ("upload", 200): {
        "process_recording": _RECORDING,
        "process": {},
        "get_recording": _RECORDING,
        "rename_recording": _RECORDING,
        "delete_recording": _RECORDING,
    },
    ("begin_upload", 200): {
        "put_upload_part": _UPLOAD | _FIRST_PART,
        "get_upload": _UPLOAD,
        "get_upload_links": _UPLOAD,
        "complete_upload": _UPLOAD,
        "abort_upload": _UPLOAD,
    },
    ("put_upload_part", 204): {
        "complete_upload": _OF_UPLOAD,
        "put_upload_part": _OF_UPLOAD | _FIRST_PART,
        "get_upload": _OF_UPLOAD,
        "abort_upload": _OF_UPLOAD,
    },
    ("complete_upload", 200): {
        "process_recording": _RECORDING,
        "complete_upload": _OF_UPLOAD,
        "abort_upload": _OF_UPLOAD,
    },
    ("process", 200): {"get_job": _JOB, "get_job_status": _JOB, "cancel_job": _JOB},
    ("process_recording", 200): {
        "get_job": _JOB,
        "cancel_job": _JOB,
        "process_recording": _OF_RECORDING,
        "delete_recording": _OF_RECORDING,
    },
    ("cancel_job", 200): {"retry_job": _OF_JOB, "cancel_job": _OF_JOB, "get_job": _OF_JOB},
    ("retry_job", 200): {"get_job": _JOB, "cancel_job": _JOB, "list_jobs": {}},
    ("get_job", 200): {
        "get_output": _OUTPUT,
        "create_export": _OUTPUT,
        "retry_job": _JOB,
        "delete_output": _OUTPUT,
        "list_outputs": {},
        "list_costs": {},
    },
    ("get_output", 200): {
        "create_export": _OUTPUT,
        "download_file": _OUTPUT | {"name": "=vocals.opus"},
        "download_zip": _OUTPUT,
        "get_output_waveform": _OUTPUT,
        "delete_output": _OUTPUT,
        "process_recording": _RECORDING,
        "delete_recording": _RECORDING,
    },
    ("create_export", 200): {"get_export": _EXPORT, "delete_export": _EXPORT},
    ("get_export", 200): {
        "download_export": _EXPORT | _SIGNED,
        "delete_export": _EXPORT,
        "delete_output": _OUTPUT,
    },
    ("delete_export", 204): {"get_export": _OF_EXPORT},
    ("delete_output", 204): {"get_output": _OF_OUTPUT, "create_export": _OF_OUTPUT},
    ("delete_recording", 204): {
        "get_recording": _OF_RECORDING,
        "process_recording": _OF_RECORDING,
    },
    ("abort_upload", 204): {"get_upload": _OF_UPLOAD},
}
MAKES = ("upload", "begin_upload", "process", "process_recording", "retry_job", "create_export")
"""Calls after which what they lead to is there until it is deleted."""


@dataclass(frozen=True)
class Answered:
    """A call, and what came of it.

    Attributes:
        call: Name of the operation.
        status: The answer's.
        path: Parameters in the call's path.
        body: The answer, if it is a JSON object.
        deletions: How many deletions had gone well by then.
    """

    call: str
    status: int
    path: Mapping[str, Any]
    body: Mapping[str, Any]
    deletions: int

    def ways(self) -> list[tuple[str, dict[str, str]]]:
        """Calls that can follow, each with its ids; those whose ids are not there yet cannot."""
        following = FOLLOWING.get((self.call, self.status), {})
        ways = [
            (call, {name: self._value(source) for name, source in sources.items()})
            for call, sources in following.items()
        ]
        return [
            (call, {name: value for name, value in ids.items() if value is not None})
            for call, ids in ways
            if None not in ids.values()
        ]

    def _value(self, source: str) -> str | None:
        kind, _, name = source.partition("/")
        if kind == "body":
            return self.body.get(name)
        if kind == "path":
            return str(self.path[name])
        if kind == "url":
            return parse_qs(urlsplit(self.body["url"] or "").query).get(name, [None])[0]
        return source.removeprefix("=")
