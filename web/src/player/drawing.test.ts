import { expect, test } from "vitest";
import { heightOf } from "./drawing";

test("silence is drawn in the middle", () => {
  expect(heightOf(0, 100, 1)).toBe(50);
});

test("the loudest sample of all stems reaches the edge", () => {
  expect(heightOf(64, 100, 0.5)).toBe(0);
  expect(heightOf(-64, 100, 0.5)).toBe(100);
});

test("noise of an almost silent recording is not blown up", () => {
  expect(heightOf(1, 100, 1 / 128)).toBeGreaterThan(40);
});
