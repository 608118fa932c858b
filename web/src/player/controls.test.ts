import { beforeEach, describe, expect, test } from "vitest";
import { Controls } from "./controls";
import { FakePlayer } from "./fake-player";
import { Markers } from "./markers";
import { Ticker } from "./ticker";
import { View } from "./view";

let player: FakePlayer;
let controls: Controls;

beforeEach(() => {
  player = new FakePlayer(100, ["vocals", "drums"]);
  controls = new Controls(player, new View(100), new Ticker(player), new Markers());
});

const stem = (name: string) => player.state.mix.stems[name];

test("play and pause by one key", () => {
  controls.perform({ kind: "play" }, null);
  expect(player.state.status).toBe("playing");
  controls.perform({ kind: "play" }, null);
  expect(player.state.status).toBe("paused");
});

test("playing after the end begins anew", () => {
  controls.seekTo(100);
  player.change({ status: "ended" });
  controls.playOrPause();
  expect(controls.positionS).toBe(0);
});

test("seeking stays in the recording", () => {
  controls.seekBy(-5);
  expect(controls.positionS).toBe(0);
  controls.seekTo(500);
  expect(controls.positionS).toBe(100);
});

test("seeking shows the page that was sought", () => {
  controls.view.show({ start: 0, length: 10 });
  controls.seekTo(50);
  controls.view.glideTo(controls.view.span);
  expect(controls.seeks.value).toBe(1);
});

test("a digit mutes the stem in its place; there is no stem in the others", () => {
  expect(controls.perform({ kind: "mute", stem: 1 }, "vocals")).toBe(true);
  expect([stem("vocals")?.isMuted, stem("drums")?.isMuted]).toEqual([false, true]);
  expect(controls.perform({ kind: "mute", stem: 5 }, "vocals")).toBe(false);
});

test("a letter solos the stem that has the focus, if one has", () => {
  expect(controls.perform({ kind: "solo", stem: null }, "vocals")).toBe(true);
  expect(stem("vocals")?.isSoloed).toBe(true);
  expect(controls.perform({ kind: "solo", stem: null }, null)).toBe(false);
});

test("the least volume is silence, and louder comes back from it", () => {
  controls.setVolume("vocals", -48);
  expect(stem("vocals")?.volumeDb).toBe(Number.NEGATIVE_INFINITY);
  controls.louder("vocals", 1);
  expect(stem("vocals")?.volumeDb).toBe(-47);
  controls.louder("vocals", 200);
  expect(stem("vocals")?.volumeDb).toBe(6);
});

test("speed goes by whole steps and stays in its range", () => {
  controls.perform({ kind: "speed", by: -0.05 }, null);
  controls.perform({ kind: "speed", by: -0.05 }, null);
  expect(player.state.mix.speed).toBe(0.9);
  controls.setSpeed(7);
  expect(player.state.mix.speed).toBe(1.5);
});

describe("the loop", () => {
  test("begins and ends where it was said, whichever came first", () => {
    controls.setLoopEnd(30);
    expect(controls.loopS).toEqual({ startS: 0, endS: 30 });
    controls.setLoopStart(20);
    expect(controls.loopS).toEqual({ startS: 20, endS: 30 });
    controls.setLoopStart(40);
    expect(controls.loopS).toEqual({ startS: 40, endS: 100 });
  });

  test("ended here goes on at its start", () => {
    controls.seekTo(20);
    controls.perform({ kind: "loop-start" }, null);
    controls.seekTo(30);
    controls.perform({ kind: "loop-end" }, null);
    expect(controls.loopS).toEqual({ startS: 20, endS: 30 });
    expect(controls.positionS).toBe(20);
  });

  test("switched on leaves a position that is in it, and fetches one that is not", () => {
    controls.setLoop(20, 30);
    controls.toggleLoop();
    controls.seekTo(25);
    controls.toggleLoop();
    expect(controls.positionS).toBe(25);
    controls.toggleLoop();
    controls.seekTo(50);
    controls.toggleLoop();
    expect(controls.positionS).toBe(20);
  });

  test("dragged backwards is the same loop", () => {
    controls.setLoop(30, 20);
    expect(player.state.mix.loop).toEqual({ start: 20_000, end: 30_000 });
  });

  test("is never shorter than a tenth of a second, and never beyond the end", () => {
    controls.setLoop(100, 100);
    expect(controls.loopS).toEqual({ startS: 99.9, endS: 100 });
  });

  test("switched off comes back as it was", () => {
    controls.setLoop(20, 30);
    controls.toggleLoop();
    expect(player.state.mix.loop).toBeNull();
    expect(controls.loopS).toEqual({ startS: 20, endS: 30 });
    controls.toggleLoop();
    expect(player.state.mix.loop).toEqual({ start: 20_000, end: 30_000 });
  });

  test("cleared is gone; switched on then it is what is shown", () => {
    controls.setLoop(20, 30);
    controls.clearLoop();
    expect(controls.loopS).toBeNull();
    controls.view.show({ start: 10, length: 5 });
    controls.toggleLoop();
    expect(controls.loopS).toEqual({ startS: 10, endS: 15 });
  });
});

test("markers: the next one, and the one before that which was just passed", () => {
  controls.markers.add(10);
  controls.markers.add(20);
  expect(controls.perform({ kind: "next-marker" }, null)).toBe(true);
  expect(controls.positionS).toBe(10);
  controls.seekTo(20.5);
  controls.perform({ kind: "previous-marker" }, null);
  expect(controls.positionS).toBe(10);
  controls.seekTo(30);
  expect(controls.perform({ kind: "next-marker" }, null)).toBe(false);
});

test("zooming is around the playhead, or the middle if it cannot be seen", () => {
  controls.seekTo(80);
  controls.zoom(0.5);
  expect(controls.view.span).toEqual({ start: 40, length: 50 });
  controls.view.show({ start: 0, length: 20 });
  controls.zoom(0.5);
  expect(controls.view.span).toEqual({ start: 5, length: 10 });
});
