import { beforeEach, expect, test } from "vitest";
import { type Kept, keep, keptOf } from "./kept";

const KEPT: Kept = {
  settings: {
    stems: { vocals: { volumeDb: null, isMuted: false, isSoloed: true, pan: 0.5 } },
    masterDb: -3,
    isLevelled: false,
    speed: 0.75,
    semitones: 3,
    loop: { startS: 1, endS: 2 },
  },
  positionS: 61.5,
  span: { start: 60, length: 10 },
  isFollowing: false,
  markers: [{ atS: 61, name: "Solo" }],
};

beforeEach(() => localStorage.clear());

test("what was kept comes back", () => {
  keep("recording", KEPT);
  expect(keptOf("recording")).toEqual(KEPT);
});

test("stems of another output of the recording stay", () => {
  keep("recording", KEPT);
  const drums = { volumeDb: 0, isMuted: true, isSoloed: false, pan: 0 };
  keep("recording", { ...KEPT, settings: { ...KEPT.settings, stems: { drums } } });
  expect(keptOf("recording")?.settings.stems).toEqual({ ...KEPT.settings.stems, drums });
});

test.each(["", "nonsense", "null", "[]", "7", '{"version":2,"settings":{}}', '{"version":1}'])(
  "%j is ignored",
  (text) => {
    localStorage.setItem("stemset.player.recording", text);
    expect(keptOf("recording")).toBeNull();
  },
);

test("fields that make no sense are as if they had never been", () => {
  const text = JSON.stringify({
    version: 1,
    settings: {
      stems: { vocals: { volumeDb: "loud", isMuted: "yes", pan: 7 }, drums: null },
      masterDb: [],
      speed: "fast",
      semitones: 2.4,
      loop: { startS: 5, endS: 4 },
    },
    positionS: -3,
    span: "all",
    markers: [{ atS: 1, name: "Verse" }, { atS: "x", name: "?" }, 3],
  });
  localStorage.setItem("stemset.player.recording", text);
  expect(keptOf("recording")).toEqual({
    settings: {
      stems: {
        vocals: { volumeDb: 0, isMuted: false, isSoloed: false, pan: 1 },
        drums: { volumeDb: 0, isMuted: false, isSoloed: false, pan: 0 },
      },
      masterDb: 0,
      isLevelled: true,
      speed: 1,
      semitones: 2,
      loop: null,
    },
    positionS: 0,
    span: { start: 0, length: Number.MAX_VALUE },
    isFollowing: true,
    markers: [{ atS: 1, name: "Verse" }],
  });
});
