import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Controls } from "./controls";
import { FakePlayer } from "./fake-player";
import { Markers } from "./markers";
import { Peaks } from "./peaks";
import { StemRow, shareOf } from "./stem-row";
import { Ticker } from "./ticker";
import { View } from "./view";

let player: FakePlayer;
let controls: Controls;

beforeEach(() => {
  player = new FakePlayer(100, ["lead_vocals"]);
  controls = new Controls(player, new View(100), new Ticker(player), new Markers());
});
afterEach(cleanup);

function show(hasSolo = false) {
  const settings = player.state.mix.stems.lead_vocals;
  if (!settings) throw new Error("no stem");
  const peaks = new Peaks(player.output, async () => new Uint8Array(0));
  return render(
    <StemRow
      controls={controls}
      peaks={peaks}
      name="lead_vocals"
      index={0}
      settings={settings}
      hasSolo={hasSolo}
      isSilent={false}
    />,
  );
}

test("every control has the stem's name in its own", () => {
  show();
  expect(screen.getByRole("button", { name: "Mute Lead vocals" })).toBeTruthy();
  expect(screen.getByRole("button", { name: "Solo Lead vocals" })).toBeTruthy();
  expect(screen.getByRole("slider", { name: "Volume of Lead vocals" })).toBeTruthy();
  expect(screen.getByRole("slider", { name: "Pan of Lead vocals" })).toBeTruthy();
});

test("mute is a switch that says how it stands, in words too", () => {
  const { unmount } = show();
  fireEvent.click(screen.getByRole("button", { name: "Mute Lead vocals" }));
  unmount();
  show();
  const button = screen.getByRole("button", { name: "Mute Lead vocals" });
  expect(button.getAttribute("aria-pressed")).toBe("true");
  expect(screen.getByText("muted")).toBeTruthy();
});

test("a stem beside a soloed one says why it is not heard", () => {
  show(true);
  expect(screen.getByText("not soloed")).toBeTruthy();
});

test("the volume is said in words, and a double click puts it back", () => {
  controls.setVolume("lead_vocals", -12);
  show();
  const slider = screen.getByRole("slider", { name: "Volume of Lead vocals" });
  expect(slider.getAttribute("aria-valuetext")).toBe("minus 12 decibels");
  fireEvent.doubleClick(slider);
  expect(player.state.mix.stems.lead_vocals?.volumeDb).toBe(0);
});

test("a meter's steps are even in dB", () => {
  expect(shareOf(1)).toBe(1);
  expect(shareOf(10 ** (-27 / 20))).toBeCloseTo(0.5);
  expect(shareOf(0)).toBe(0);
});
