import { expect, test } from "vitest";
import { BARS, barsOf, HALF, waveformPath } from "./waveform";

const reaches = (path: string) =>
  [...path.matchAll(/M[\d.]+ ([\d.]+)V([\d.]+)/g)].map(([, top, bottom]) => [
    HALF - Number(top),
    Number(bottom) - HALF,
  ]);

test("every peak is in a bar, and each bar has its largest", () => {
  const peaks = Array.from({ length: 240 }, (_, index) => index % 128);
  const bars = barsOf(peaks);

  expect(bars).toHaveLength(BARS);
  expect(Math.max(...bars)).toBe(127);
  expect(bars[0]).toBe(Math.max(...peaks.slice(0, 2)));
  expect(bars[BARS - 1]).toBe(Math.max(...peaks.slice(237)));
});

test("few peaks are spread over all bars", () => {
  expect(new Set(barsOf([3, 9]))).toEqual(new Set([3, 9]));
  expect(barsOf([3, 9]).indexOf(9)).toBe(BARS / 2);
});

test("the loudest bar fills the height, and both halves are alike", () => {
  const drawn = reaches(waveformPath([10, 40, 20]));

  expect(Math.max(...drawn.flat())).toBe(HALF - 1);
  for (const [up, down] of drawn) expect(up).toBeCloseTo(down ?? Number.NaN);
});

test("silence, and nothing at all, is a line", () => {
  for (const path of [waveformPath([0, 0]), waveformPath([])]) {
    expect(new Set(reaches(path).flat())).toEqual(new Set([0.5]));
  }
});
