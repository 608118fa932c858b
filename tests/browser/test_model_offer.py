"""The page offers a better model, installs it, and says what stands in the way."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from service_deployment import ServiceDeployment, service
from watched_pages import DESKTOP, PHONE, Screen

from stand_in_weights import install_stand_in
from stemset.catalogue.entries import find
from stemset.catalogue.weights import model_cache

OpenPage = Callable[..., Page]

CONFIG = """
profiles:
  - {name: two, source_folder: recordings}
  - {name: four, source_folder: recordings, strategy: htdemucs}
"""
NOWHERE = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HF_HUB_CACHE": "/nowhere",
    "TORCH_HOME": "/nowhere",
}
GIVES_UP_MS = 40_000


@pytest.fixture
def models(tmp_path: Path, example: Path) -> Path:
    """A model cache that holds the default model."""
    del example
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "spleeter-2stems").symlink_to(model_cache() / "spleeter-2stems")
    return folder


@pytest.fixture
def offering(tmp_path: Path, built_page: Path, models: Path) -> Iterator[ServiceDeployment]:
    """A service that has one of two models and reaches no other machine."""
    del built_page
    with service(tmp_path / "service", config=CONFIG) as made:
        made.serve(STEMSET_MODEL_DIR=str(models), **NOWHERE)
        yield made


@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_better_model_is_offered_and_can_be_chosen_when_it_is_there(
    offering: ServiceDeployment,
    open_page: OpenPage,
    models: Path,
    screenshot: Callable[[Page, str], Path],
    axe: Callable[[Page], list[str]],
    screen: Screen,
):
    page = open_page(offering.url, screen=screen)
    region = page.get_by_role("region", name="Add recordings")
    offer = page.get_by_role("region", name="Install four")

    expect(region).to_contain_text("Makes vocals and accompaniment")
    expect(offer).to_contain_text("four makes vocals, drums, bass and other")
    expect(offer).to_contain_text("84 MB, no licence stated")
    choice = region.get_by_label("What to make")
    expect(choice.locator("option", has_text="four")).to_be_disabled()
    assert page.evaluate("document.documentElement.scrollWidth") == screen.width
    screenshot(page, f"offer-{'phone' if screen.is_phone else 'desktop'}")
    assert axe(page) == []

    offer.get_by_role("button", name="Install htdemucs").click()
    expect(offer.get_by_role("progressbar", name="Installing htdemucs")).to_be_visible()
    refusal = offer.get_by_role("alert")
    expect(refusal).to_contain_text("htdemucs could not be installed", timeout=GIVES_UP_MS)
    expect(refusal).to_contain_text("Check the network")
    expect(offer.get_by_role("button", name="Try to install htdemucs again")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == screen.width
    screenshot(page, f"offer-failed-{'phone' if screen.is_phone else 'desktop'}")

    install_stand_in(find("htdemucs"), models)  # as `stemset models install --from` would
    page.reload()
    choice.select_option("four")
    expect(region).to_contain_text("Makes vocals, drums, bass and other")
    expect(offer).to_be_hidden()
