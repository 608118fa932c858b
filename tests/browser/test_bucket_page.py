"""The page of a service whose store is a bucket: parts go there, and stems come from there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cors_rules import allow, documented_rules
from playwright.sync_api import Page, expect
from s3_server import S3Server
from service_deployment import ServiceDeployment, service
from watched_pages import drop
from web_service import CONFIG

from stemset.storage.settings import StoreSettings

pytestmark = pytest.mark.s3

OpenPage = Callable[..., Page]

READY_WITHIN_MS = 90_000


@pytest.fixture
def bucket(s3_server: S3Server) -> StoreSettings:
    s3_server.mend()
    return s3_server.new_bucket()


@pytest.fixture
def deployment(
    tmp_path: Path, built_page: Path, example: Path, bucket: StoreSettings
) -> Iterator[ServiceDeployment]:
    """A service with a bucket that lets its page in, as docs/service.md says."""
    del built_page, example
    with service(tmp_path / "service", bucket=bucket, config=CONFIG) as made:
        made.serve()
        allow(bucket, documented_rules(made.url))
        yield made


def test_song_goes_to_the_bucket_and_its_stems_are_played_from_there(
    deployment: ServiceDeployment, bucket: StoreSettings, open_page: OpenPage, example: Path
):
    page = open_page(f"{deployment.url}/")
    asked: list[tuple[str, str]] = []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    page.get_by_text("No recordings yet").wait_for()

    drop(page, example)
    page.get_by_role("link", name="Play").first.click(timeout=READY_WITHIN_MS)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => Number(document.querySelector('.seek').value) > 1")

    of_bucket = [(method, url) for method, url in asked if url.startswith(bucket.endpoint)]
    put = [url for method, url in of_bucket if method == "PUT"]
    got = [url for method, url in of_bucket if method == "GET"]
    assert [url for url in put if "partNumber=" in url and "/inputs/" in url] == put != []
    assert [url for url in got if "vocals.opus?" in url]
    assert not [url for _, url in asked if "/parts/" in url]

    page.get_by_role("button", name="Download").click()
    link = page.get_by_role("link", name="Vocals")
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes()[:4] == b"OggS"
