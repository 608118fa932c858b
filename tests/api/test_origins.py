"""What pages that are open in somebody's browser may do. Row 44 of the faults."""

from pathlib import Path

import httpx
import pytest
from service_client import CONFIG, RunningService, running_service

PATH = "/api/jobs/none/cancel"


def origin_refused(answer: httpx.Response) -> bool:
    """Whether it was refused for where it came from; otherwise the route answers 404."""
    assert answer.status_code in {403, 404}, answer.text
    return answer.status_code == 403 and answer.json()["error"]["code"] == "origin_refused"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "https://evil.example"),
        ("localhost:8080", "http://localhost:3000"),
        ("localhost:8080", "http://localhost"),
        ("localhost", "http://localhost:8080"),
        ("localhost:8080", "http://127.0.0.1:8080"),
        ("localhost:8080", "null"),
        ("localhost:8080", ""),
        ("localhost:8080", "http://localhost:8080.evil.example"),
        ("localhost:8080", "http://localhost:99999"),
        ("localhost:8080", "file://"),
        ("localhost:8080", "chrome-extension://localhost:8080"),
    ],
)
def test_page_of_another_origin_cannot_change_anything(
    client: httpx.Client, host: str, origin: str
):
    answer = client.post(PATH, headers={"host": host, "origin": origin})

    assert origin_refused(answer)


@pytest.mark.parametrize("origin", [None, "http://localhost:8080", "HTTP://LOCALHOST:8080"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site"])
def test_page_of_another_site_cannot_change_anything(
    client: httpx.Client, origin: str | None, site: str
):
    headers = {"host": "localhost:8080", "sec-fetch-site": site}

    assert origin_refused(
        client.post(PATH, headers=headers | ({"origin": origin} if origin else {}))
    )


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("LocalHost:8080", "http://localhost:8080"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "https://localhost"),
        ("localhost:443", "https://localhost"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_own_page_can(client: httpx.Client, host: str, origin: str):
    headers = {"host": host, "origin": origin, "sec-fetch-site": "same-origin"}

    assert not origin_refused(client.post(PATH, headers=headers))


def test_two_origins_are_none(client: httpx.Client):
    headers = [
        ("host", "localhost"),
        ("origin", "http://localhost"),
        ("origin", "http://localhost"),
    ]

    assert origin_refused(client.post(PATH, headers=headers))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_every_method_that_is_not_known_as_safe_is_checked(client: httpx.Client, method: str):
    answer = client.request(method, "/livez", headers={"origin": "https://evil.example"})

    assert origin_refused(answer)


def test_page_of_another_origin_can_look_but_is_not_shown(client: httpx.Client):
    answer = client.get("/api/jobs", headers={"origin": "https://evil.example"})

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_page_is_known_under_the_address_that_people_use(tmp_path: Path, database_conninfo: str):
    with running_service(
        tmp_path,
        database_conninfo,
        config=CONFIG,
        environ={"BACKEND_URL": "https://band.example"},
    ) as service:
        for origin, refused in (("https://band.example", False), ("https://evil.example", True)):
            answer = service.client.post(PATH, headers={"host": "localhost", "origin": origin})
            assert origin_refused(answer) == refused


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "", "localhost.evil.example", "10.0.0.1"]
)
def test_open_service_is_called_by_loopbacks_names_only(client: httpx.Client, host: str):
    answer = client.get("/livez", headers={"host": host})

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "origin_refused"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1:65535", "127.8.8.8", "[::1]", "[::1]:8000"]
)
def test_open_service_is_called_by_any_name_of_loopback(client: httpx.Client, host: str):
    assert client.get("/livez", headers={"host": host}).status_code == 200


def test_service_with_tokens_is_called_by_any_name(guarded: RunningService):
    assert guarded.client.get("/livez", headers={"host": "band.example"}).status_code == 200
