"""What a band does after practice, on one page, with nothing but its browser.

What is heard is taken from the last node before the sound leaves the page, and compared with the
stems as the service gives them out.
"""

import io
from collections.abc import Callable
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page
from service_deployment import ServiceDeployment
from watched_pages import drop

pytestmark = pytest.mark.slow

OpenPage = Callable[..., Page]
Sound = NDArray[np.float64]

HEARD_FRAMES = 16_384
DURATION_S = 10.9
RATE_HZ = 48_000
READY_WITHIN_MS = 90_000
PRESENT_DB = -20.0
QUIET = 0.02
GONE_DB = -50.0
# Everything that a page gives to its audio device is given to an analyser as well.
_LISTEN = """
(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode) {
      const ears = new AnalyserNode(this.context, { fftSize: 16384 });
      connect.call(this, ears);
      window.heard = () => {
        const samples = new Float32Array(ears.fftSize);
        ears.getFloatTimeDomainData(samples); // the mean of both channels
        return Array.from(samples);
      };
    }
    return connect.call(this, to, ...more);
  };
})();
"""


def test_band_drops_its_song_practises_without_the_singer_and_takes_that_home(
    web_service: ServiceDeployment,
    open_page: OpenPage,
    example: Path,
    tmp_path: Path,
    screenshot: Callable[[Page, str], Path],
):
    page = open_page(f"{web_service.url}/", accept_downloads=True)
    page.add_init_script(_LISTEN)
    page.reload()

    page.get_by_text("No recordings yet").wait_for()
    drop(page, example)
    page.get_by_role("link", name="Play").first.click(timeout=READY_WITHIN_MS)

    loop_over(page, "0:03", "0:08")
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    stems = stems_of(web_service)
    both = heard_levels_db(page, stems)
    page.get_by_role("button", name="Mute Vocals").click()
    page.wait_for_timeout(1000)  # what is listened to holds a third of a second
    without = heard_levels_db(page, stems)
    screenshot(page, "band-evening")
    page.wait_for_timeout(6000)  # longer than the loop

    assert min(both.values()) > PRESENT_DB
    assert without["vocals"] < GONE_DB
    assert without["accompaniment"] > PRESENT_DB
    assert 3 <= position_of(page) <= 8

    home = decoded(exported(page, tmp_path).read_bytes())
    at_home, left_over = levels_db(home[len(home) // 2 :][:HEARD_FRAMES], stems)
    assert len(home) == pytest.approx(DURATION_S * RATE_HZ, rel=0.01)
    assert left_over < GONE_DB
    assert at_home["vocals"] < GONE_DB
    assert at_home["accompaniment"] > PRESENT_DB


def position_of(page: Page) -> float:
    return float(page.get_by_role("slider", name="Position in the recording").input_value())


def loop_over(page: Page, start: str, end: str) -> None:
    page.get_by_role("button", name="More controls").click()
    panel = page.get_by_role("region", name="Loop")
    for name, at in (("Start", start), ("End", end)):
        field = panel.get_by_role("textbox", name=name)
        field.fill(at)
        field.press("Enter")
    page.keyboard.press("Escape")


def exported(page: Page, folder: Path) -> Path:
    """Export the whole mix as it is heard, and download it."""
    page.get_by_role("button", name="Export mix").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Format").select_option("wav")
    dialog.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click(timeout=READY_WITHIN_MS)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def heard_levels_db(page: Page, stems: dict[str, Sound]) -> dict[str, float]:
    """How loud each stem is in what leaves the page; listened to again where the loop wraps."""
    left_over = 0.0
    for _ in range(20):
        sound = np.array(page.evaluate("() => window.heard?.() ?? [0]"))
        if len(sound) == HEARD_FRAMES and np.abs(sound).max() > QUIET:
            levels, left_over = levels_db(sound, stems)
            if left_over < PRESENT_DB:
                return levels
        page.wait_for_timeout(200)
    raise AssertionError(f"what is heard is not of these stems: {left_over:.1f} dB are left over")


def stems_of(service: ServiceDeployment) -> dict[str, Sound]:
    """The stems of the only output, as the service gives them out."""
    (output,) = service.ask("GET", "/api/outputs").json()["outputs"]
    view = service.ask("GET", f"/api/outputs/{output['output_id']}").json()
    urls = {file["name"]: file["url"] for file in view["files"]}
    return {
        name: decoded(httpx.get(f"{service.url}{urls[stem['stem_url']]}").content)
        for name, stem in view["metadata"]["stems"].items()
    }


def decoded(data: bytes) -> Sound:
    """The mean of a file's channels, at ``RATE_HZ``."""
    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    with av.open(io.BytesIO(data), "r") as file:
        frames = [made for frame in file.decode(audio=0) for made in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(float)


def levels_db(sound: Sound, stems: dict[str, Sound]) -> tuple[dict[str, float], float]:
    """How much of each stem is in a piece of sound, wherever in the song it is from.

    The place is where the sound fits the stems best; the amounts are those that explain it best.

    Returns:
        The amounts, and how much of the sound they leave unexplained, all in dB.
    """
    length = min(map(len, stems.values()))
    size = 1 << (length + len(sound)).bit_length()
    spectrum = np.fft.rfft(sound, size).conj()
    fits = np.sum(
        [
            np.abs(np.fft.irfft(np.fft.rfft(stem[:length], size) * spectrum, size))
            for stem in stems.values()
        ],
        axis=0,
    )
    place = int(np.argmax(fits[: length - len(sound)]))
    there = np.stack([stem[place : place + len(sound)] for stem in stems.values()], axis=1)
    amounts, *_ = np.linalg.lstsq(there, sound)
    rest = np.linalg.norm(sound - there @ amounts) / np.linalg.norm(sound)
    return dict(zip(stems, map(in_db, amounts), strict=True)), in_db(rest)


def in_db(ratio: np.floating) -> float:
    return float(20 * np.log10(max(np.abs(ratio), 1e-6)))
