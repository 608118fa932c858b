import { expect, test } from "vitest";
import { Estimate } from "./estimate";

function observed(speeds: readonly number[], stepS = 0.25): Estimate {
  const estimate = new Estimate();
  let bytes = 0;
  estimate.observe(0, 100);
  speeds.forEach((speed, i) => {
    bytes += speed * stepS;
    estimate.observe(bytes, 100 + (i + 1) * stepS);
  });
  return estimate;
}

test("says nothing before it has seen enough", () => {
  expect(observed(Array(4).fill(1e6)).bytesPerSecond()).toBeNull();
  expect(observed(Array(4).fill(1e6)).secondsFor(1e6)).toBeNull();
});

test("gives a steady speed and the time that is left at it", () => {
  const estimate = observed(Array(40).fill(2e6));
  expect(estimate.bytesPerSecond()).toBeCloseTo(2e6);
  expect(estimate.secondsFor(30e6)).toBeCloseTo(15);
});

test("does not jump with single moments, and follows a lasting change", () => {
  const steady = Array(80).fill(1e6);
  expect(observed([...steady, 10e6]).bytesPerSecond()).toBeLessThan(1.6e6);
  expect(observed([...steady, ...Array(60).fill(4e6)]).bytesPerSecond()).toBeGreaterThan(3.8e6);
});

test("counts bytes that are sent again as standing still", () => {
  const estimate = observed(Array(40).fill(2e6));
  estimate.observe(0, 111);
  const speed = estimate.bytesPerSecond();
  expect(speed).toBeGreaterThan(0);
  expect(speed).toBeLessThan(2e6);
});

test("knows no time left while nothing moves, and begins anew after a pause", () => {
  const still = observed(Array(400).fill(0));
  expect(still.secondsFor(1)).toBeNull();
  const paused = observed(Array(40).fill(2e6));
  paused.reset();
  expect(paused.bytesPerSecond()).toBeNull();
});
