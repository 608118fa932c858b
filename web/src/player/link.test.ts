import { expect, test } from "vitest";
import { linked, linkTo } from "./link";
import type { Settings } from "./settings";

const MIX: Settings = {
  stems: {
    vocals: { volumeDb: -3, isMuted: true, isSoloed: false, pan: 0 },
    drums: { volumeDb: null, isMuted: false, isSoloed: true, pan: -0.2 },
  },
  masterDb: -6,
  isLevelled: false,
  speed: 0.8,
  semitones: -2,
  loop: { startS: 12.5, endS: 18 },
};

test("a link says the time and the mix so that a person can read it", () => {
  expect(linkTo(83.5, MIX)).toBe(
    "?t=83.5&mix=vocals:-3:m,drums:off:s:p-20&master=-6&level=off&speed=0.8&pitch=-2&loop=12.5-18",
  );
});

test("a link opens with what it was made of", () => {
  expect(linked(linkTo(83.5, MIX))).toEqual({ positionS: 83.5, settings: MIX });
});

test("what is plain is not said", () => {
  const plain = { volumeDb: 0, isMuted: false, isSoloed: false, pan: 0 };
  const settings: Settings = {
    stems: { vocals: plain },
    masterDb: 0,
    isLevelled: true,
    speed: 1,
    semitones: 0,
    loop: null,
  };
  expect(linkTo(0, settings)).toBe("?t=0&mix=vocals:0");
});

test("a link without a mix says only the time", () => {
  expect(linked("?t=12")).toEqual({ positionS: 12, settings: null });
  expect(linked("")).toEqual({ positionS: null, settings: null });
});

test("what makes no sense is ignored, what is out of range is brought into it", () => {
  const { positionS, settings } = linked(
    "?t=-4&mix=vocals:99:p-900:x,drums:loud&speed=9&pitch=abc&master=1e999&loop=9-3",
  );
  expect(positionS).toBeNull();
  expect(settings).toEqual({
    stems: {
      vocals: { volumeDb: 6, isMuted: false, isSoloed: false, pan: -1 },
      drums: { volumeDb: 0, isMuted: false, isSoloed: false, pan: 0 },
    },
    masterDb: 0,
    isLevelled: true,
    speed: 1.5,
    semitones: 0,
    loop: null,
  });
});

test("a name with signs of the link's own survives", () => {
  const stems = { "a:b,c&d": { volumeDb: -1, isMuted: false, isSoloed: false, pan: 0 } };
  expect(linked(linkTo(1, { ...MIX, stems })).settings?.stems).toEqual(stems);
});
