import { expect, test } from "vitest";
import {
  exactClock,
  panText,
  pitchText,
  speedText,
  spokenPan,
  spokenPitch,
  spokenSpeed,
  spokenVolume,
  stemTitle,
  typedTime,
  volumeText,
} from "./words";

test.each([
  [3, "+3 dB", "3 decibels"],
  [0, "0 dB", "0 decibels"],
  [-3.46, "−3.5 dB", "minus 3.5 decibels"],
  [Number.NEGATIVE_INFINITY, "off", "silent"],
])("a volume of %d is shown as %s and said as %s", (volumeDb, shown, said) => {
  expect(volumeText(volumeDb)).toBe(shown);
  expect(spokenVolume(volumeDb)).toBe(said);
});

test.each([
  [-1, "L 100", "100 percent left"],
  [0.004, "C", "centre"],
  [0.3, "R 30", "30 percent right"],
])("a pan of %d is shown as %s and said as %s", (pan, shown, said) => {
  expect(panText(pan)).toBe(shown);
  expect(spokenPan(pan)).toBe(said);
});

test("speed and pitch are shown and said", () => {
  expect([speedText(0.85), spokenSpeed(0.85)]).toEqual(["0.85×", "85 percent"]);
  expect([pitchText(-1), spokenPitch(-1)]).toEqual(["−1", "1 semitone down"]);
  expect([pitchText(4), spokenPitch(4)]).toEqual(["+4", "4 semitones up"]);
  expect([spokenSpeed(1), spokenPitch(0)]).toEqual(["original speed", "original pitch"]);
});

test.each([
  ["83.5", 83.5],
  ["1:23,5", 83.5],
  ["1:02:33", 3753],
  [" 0:05 ", 5],
  ["", null],
  ["abc", null],
  ["1:2:3:4", null],
  ["-5", null],
])("%j typed is %s seconds", (text, seconds) => {
  expect(typedTime(text)).toBe(seconds);
});

test("a position to tenths carries over", () => {
  expect(exactClock(59.97)).toBe("1:00.0");
  expect(exactClock(3661.25)).toBe("1:01:01.3");
});

test("a stem's title is its name as words", () => {
  expect(stemTitle("not_vocals")).toBe("Not vocals");
});
