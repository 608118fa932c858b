"""The page as it is given out: which addresses are its own, what comes with it, who may see it."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from ledger_database import LedgerDatabases
from prometheus_client.parser import text_string_to_metric_families
from service_client import RunningService, running_service

from stemset.api import page
from stemset.jobs.caller import Scope
from stemset.storage.settings import StoreSettings

INDEX = '<!doctype html>\n<script type="module" src="/assets/index-1a2b3c.js"></script>\n'
SCRIPT = "export const stems = ['vocals', 'drums'];\n" * 100
FILES = {
    "index.html": INDEX,
    "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "manifest.webmanifest": '{"name": "Stemset"}',
    "assets/index-1a2b3c.js": SCRIPT,
    "assets/index-1a2b3c.css": "main { color: red }",
    "assets/stretch-1a2b3c.wasm": "\0asm",
    ".built": "what it was made from",
}
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    return folder


@pytest.fixture(scope="module")
def given(
    tmp_path_factory: pytest.TempPathFactory, ledger_databases: LedgerDatabases, built: Path
) -> Iterator[RunningService]:
    """A service for other machines that gives a small page out."""
    conninfo = ledger_databases.migrated()
    folder = tmp_path_factory.mktemp("given")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "BUILT", built)
        with running_service(folder, conninfo, is_open=False) as service:
            yield service
    ledger_databases.drop(conninfo)


def counted(reader: httpx.Client) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(reader.get("/metrics").text)
        for sample in family.samples
        if sample.name == "stemset_http_requests_total"
    }


def test_page_is_there_for_whoever_asks(given: RunningService):
    answer = given.client.get("/")

    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert given.client.get("/api/recordings").status_code == 401


@pytest.mark.parametrize("path", ["/play/8cbd5790", "/play/8cbd5790?at=61.5", "/nothing/here"])
def test_view_is_answered_with_the_page(given: RunningService, path: str):
    answer = given.client.get(path, headers=BROWSER)

    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    ["/api/nothing", "/api", "/assets/index-0.js", "/assets/", "/favicon.ico", "/play/a.map"],
)
def test_what_is_no_view_is_not_found_by_a_browser_either(given: RunningService, path: str):
    answer = given.client.get(path, headers=BROWSER)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_program_that_asks_for_nothing_in_particular_gets_no_view(given: RunningService):
    answer = given.client.get("/play/8cbd5790")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/livez", "/api/openapi.json"])
def test_route_of_the_api_comes_before_the_page(given: RunningService, path: str):
    answer = given.client.get(path, headers=BROWSER)

    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "kind", "cached"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/icon.svg", "image/svg+xml", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache"),
        ("/assets/index-1a2b3c.js", "text/javascript; charset=utf-8", page._FOR_EVER),
        ("/assets/index-1a2b3c.css", "text/css; charset=utf-8", page._FOR_EVER),
        ("/assets/stretch-1a2b3c.wasm", "application/wasm", page._FOR_EVER),
    ],
)
def test_file_says_what_it_is_and_how_long_it_keeps(
    given: RunningService, path: str, kind: str, cached: str
):
    answer = given.client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == cached
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/.built",
        "/index.html/../.built",
        "/assets/../../pyproject.toml",
        "/assets/%2e%2e/%2e%2e/config.yaml",
        "/assets/..%2f..%2fconfig.yaml",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/assets/index-1a2b3c.js/",
        "/assets/..\\..\\config.yaml",
    ],
)
def test_file_that_is_not_the_pages_is_not_given(given: RunningService, path: str):
    request = given.client.build_request("GET", "/", headers=BROWSER)
    request.url = request.url.copy_with(raw_path=path.encode())

    answer = given.client.send(request)

    assert answer.status_code in {200, 404}
    assert answer.status_code == 404 or answer.text == INDEX


def test_script_comes_compressed_to_who_takes_that(given: RunningService):
    path = "/assets/index-1a2b3c.js"

    with given.client.stream("GET", path, headers={"accept-encoding": "br, gzip"}) as zipped:
        sent = b"".join(zipped.iter_raw())
    plain = given.client.get(path, headers={"accept-encoding": "gzip;q=0, identity"})

    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(sent).decode() == plain.text == SCRIPT
    assert len(sent) < len(SCRIPT) / 5
    assert "content-encoding" not in plain.headers
    assert zipped.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert zipped.headers["etag"] != plain.headers["etag"]


def test_what_grows_by_compression_comes_as_it_is(given: RunningService):
    answer = given.client.get("/assets/stretch-1a2b3c.wasm")

    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_page_that_is_known_is_not_sent_again(given: RunningService, encoding: str):
    headers = {"accept-encoding": encoding}
    tag = given.client.get("/", headers=headers).headers["etag"]

    for known in (tag, f'"other", W/{tag}'):
        answer = given.client.get("/", headers={**headers, "if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    assert given.client.get("/", headers={"if-none-match": '"other"'}).status_code == 200


def test_head_has_the_headers_alone(given: RunningService):
    got, head = given.client.get("/"), given.client.head("/")

    assert (head.status_code, head.content) == (200, b"")
    changing = {"date", "x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in got.headers.items() if k not in changing
    }


@pytest.mark.parametrize("path", ["/", "/assets/index-1a2b3c.js"])
def test_page_can_only_be_read(given: RunningService, path: str):
    answer = given.client.post(path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert given.client.post("/play/8cbd5790", headers=BROWSER).status_code == 404


def test_route_that_lacks_a_method_still_says_so(given: RunningService):
    answer = given.client.get("/api/process", headers=BROWSER)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/play/8cbd5790", "/assets/index-1a2b3c.js", "/icon.svg"])
def test_page_may_load_from_its_service_alone(given: RunningService, path: str):
    headers = given.client.get(path, headers=BROWSER).headers

    assert policy(headers) == {
        "default-src": ["'self'"],
        "script-src": ["'self'", "'wasm-unsafe-eval'"],
        "worker-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "blob:"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"


def test_page_may_load_media_from_the_bucket(
    tmp_path: Path, database_conninfo: str, built: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(page, "BUILT", built)
    bucket = StoreSettings("s3", "band", "http://127.0.0.1:9/", "auto", "id", "key")
    with running_service(tmp_path, database_conninfo, store_settings=bucket) as service:
        directives = policy(service.client.get("/").headers)

    loading = {name for name, sources in directives.items() if "http://127.0.0.1:9" in sources}
    assert loading == {"connect-src", "img-src", "media-src"}


def policy(headers: httpx.Headers) -> dict[str, list[str]]:
    directives = headers["content-security-policy"].split("; ")
    return {name: sources for name, *sources in (each.split() for each in directives)}


def test_calls_of_the_page_are_counted_as_one(given: RunningService):
    key = ("GET", "page", "200")
    with given.caller(given.make_token(Scope.READ)) as reader:
        before = counted(reader).get(key, 0)

        for path in ("/", "/play/one", "/play/two", "/icon.svg"):
            given.client.get(path, headers=BROWSER)

        found = counted(reader)
    assert found[key] == before + 4
    assert not [labels for labels in found if "/play/one" in labels or "/icon.svg" in labels]


def test_page_is_refused_under_a_name_that_is_not_this_machines(
    tmp_path: Path, database_conninfo: str, built: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(page, "BUILT", built)
    with running_service(tmp_path, database_conninfo) as service:
        answer = service.client.get("/", headers={**BROWSER, "host": "evil.example"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_refused")


def test_page_that_was_not_built_says_how_to_build_it(
    tmp_path: Path, database_conninfo: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(page, "BUILT", tmp_path / "nowhere")
    with running_service(tmp_path, database_conninfo) as service:
        for path in ("/", "/play/8cbd5790"):
            answer = service.client.get(path, headers=BROWSER)
            assert answer.status_code == 404
            assert "<code>make demo</code>" in answer.text
            assert answer.headers["x-frame-options"] == "DENY"
        assert service.client.get("/api/recordings").status_code == 200


def test_page_that_is_built_anew_is_given_out_as_it_was(
    given: RunningService, built: Path, tmp_path: Path
):
    kept = tmp_path / "kept"
    built.rename(kept)
    try:
        assert given.client.get("/assets/index-1a2b3c.js").text == SCRIPT
    finally:
        kept.rename(built)
