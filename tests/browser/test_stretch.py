"""The pitch shifter in a real browser: what comes out, when, and under the page's own policy."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from stretch_page import stretch_page

RATE_HZ = 48_000

# Renders what a source becomes, at pitches that are set at given times, as fast as it can be.
RENDER = """
async ({ samples, seconds, pitches }) => {
  const makeStretch = await load();
  const context = new OfflineAudioContext(2, seconds * 48000, 48000);
  const stretch = await makeStretch(context);
  const bytes = Uint8Array.from(atob(samples), (each) => each.charCodeAt(0));
  const buffer = new AudioBuffer({ length: bytes.length / 4, sampleRate: 48000 });
  buffer.copyToChannel(new Float32Array(bytes.buffer), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(stretch.input);
  stretch.output.connect(context.destination);
  source.start();
  for (const [at, semitones] of pitches) {
    if (at === 0) stretch.set(semitones);
    else context.suspend(at).then(() => { stretch.set(semitones); return context.resume(); });
  }
  const rendered = await context.startRendering();
  const result = new Uint8Array(rendered.getChannelData(0).buffer);
  let text = "";
  for (let at = 0; at < result.length; at += 32768)
    text += String.fromCharCode(...result.subarray(at, at + 32768));
  return { samples: btoa(text), latencyFrames: stretch.latencyFrames };
}
"""

# Plays a tone for real, and looks at what is heard.
PLAY = """
async (semitones) => {
  const makeStretch = await load();
  const context = new AudioContext({ sampleRate: 48000 });
  await context.suspend();
  const stretch = await makeStretch(context);
  const tone = new OscillatorNode(context, { frequency: 440 });
  const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  tone.connect(stretch.input);
  stretch.output.connect(analyser).connect(context.destination);
  stretch.set(semitones);
  tone.start();
  await context.resume();
  const heard = new Float32Array(8192);
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    analyser.getFloatTimeDomainData(heard);
  } while (context.currentTime < 1);
  stretch.close();
  await context.close();
  return Array.from(heard);
}
"""

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    problems: list[str] = []
    with stretch_page(tmp_path_factory.mktemp("stretch")) as served:
        opened = chromium.new_page()
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("console", lambda message: problems.append(message.text))
        opened.goto(served.url)
        yield opened
        opened.close()
    assert problems == []


def shifted(
    page: Page, samples: Samples, *pitches: tuple[float, float], seconds: float
) -> tuple[Samples, int]:
    """What samples become, and how much later; pitches are (from when, semitones)."""
    given = base64.b64encode(samples.astype("<f4").tobytes()).decode()
    made = page.evaluate(RENDER, {"samples": given, "seconds": seconds, "pitches": pitches})
    return np.frombuffer(base64.b64decode(made["samples"]), "<f4"), made["latencyFrames"]


def sine(frequency: float, seconds: float) -> Samples:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(seconds * RATE_HZ) / RATE_HZ)).astype(
        np.float32
    )


def frequency_of(samples: NDArray[np.floating]) -> float:
    """The frequency of a tone, from the peak of its spectrum, interpolated."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peak = int(np.argmax(spectrum))
    below, at, above = np.log(spectrum[peak - 1 : peak + 2])
    return (peak + (below - above) / (2 * (below - 2 * at + above))) * RATE_HZ / len(samples)


def level_db(samples: NDArray[np.floating]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) / 0.125))


@pytest.mark.parametrize("semitones", [-12, -5, -0.5, 0, 2, 3, 12, 18])
@pytest.mark.parametrize("frequency", [110.0, 440.0, 1000.0])
def test_tone_is_shifted_to_the_cent_at_its_level(page: Page, frequency: float, semitones: float):
    made, _ = shifted(page, sine(frequency, 4), (0, semitones), seconds=4)

    steady = made[RATE_HZ : 3 * RATE_HZ]
    cents = 1200 * np.log2(frequency_of(steady) / (frequency * 2 ** (semitones / 12)))
    assert abs(cents) < 0.5
    assert abs(level_db(steady)) < 0.6
    assert np.isfinite(made).all()


@pytest.mark.parametrize("semitones", [-12, -3.86, 0, 3, 7])
def test_latency_is_what_it_says(page: Page, semitones: float):
    """The middle of a soft burst comes out as much later as is said."""
    middle = RATE_HZ
    envelope = np.exp(-(((np.arange(2 * RATE_HZ) - middle) / 2400) ** 2) / 2)
    burst = (envelope * sine(440, 2)).astype(np.float32)

    made, latency = shifted(page, burst, (0, semitones), seconds=3)

    energy = made.astype(float) ** 2
    measured = float((np.arange(len(energy)) * energy).sum() / energy.sum()) - middle
    assert measured == pytest.approx(latency, abs=0.0005 * RATE_HZ)


def test_latency_without_a_shift_is_exact(page: Page):
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, RATE_HZ).astype(np.float32)

    made, latency = shifted(page, noise, (0, 0), seconds=2)

    delayed = made[latency : latency + RATE_HZ]
    assert np.abs(delayed[4800:-4800] - noise[4800:-4800]).max() < 0.01


def test_change_of_pitch_makes_no_click(page: Page):
    changes = [
        (1 + number / 4, semitones) for number, semitones in enumerate([3, -4, 0, 0.5, -0.5])
    ]

    made, _ = shifted(page, sine(440, 4), (0, 0), *changes, seconds=4)

    bend = np.abs(np.diff(made, 2))
    steady = bend[RATE_HZ // 2 : RATE_HZ].max()
    highest = 2 ** (2 * 3 / 12)  # a sine bends with the square of its frequency
    assert bend[RATE_HZ // 2 : 3 * RATE_HZ].max() < 2 * highest * steady


def test_minute_of_sound_is_steady(page: Page):
    made, _ = shifted(page, sine(440, 60), (0, 3), seconds=60)

    seconds = made[RATE_HZ : 59 * RATE_HZ].reshape(58, RATE_HZ)
    levels = [level_db(second) for second in seconds]
    cents = [1200 * np.log2(frequency_of(second) / 523.2511) for second in seconds[::10]]
    assert np.isfinite(made).all()
    assert max(levels) - min(levels) < 0.1
    assert max(map(abs, cents)) < 0.5


@pytest.mark.alone
def test_live_tone_is_shifted_in_a_context_that_began_suspended(page: Page):
    heard = np.array(page.evaluate(PLAY, 3))

    assert frequency_of(heard) == pytest.approx(523.25, abs=0.6)


def test_processor_is_fetched_only_when_it_is_needed(chromium: Browser, tmp_path: Path):
    with stretch_page(tmp_path) as served:
        page = chromium.new_page()
        page.goto(served.url)
        before = list(served.requested)
        page.evaluate("async () => (await load())(new OfflineAudioContext(2, 128, 48000))")
        page.close()

    assert [path for path in before if "stretch" in path] == []
    assert [path for path in served.requested if "stretch.worklet" in path]
