import { expect, test } from "vitest";
import { Limiter } from "./limiting";

const AHEAD = 96;

/** What comes out of samples that go in by blocks, as the audio thread hands them over. */
function limited(samples: Float32Array): Float32Array {
  const limiter = new Limiter(1, AHEAD, 48_000);
  const result = new Float32Array(samples.length);
  for (let at = 0; at < samples.length; at += 128) {
    limiter.process([samples.subarray(at, at + 128)], [result.subarray(at, at + 128)]);
  }
  return result;
}

function noise(frames: number, level: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: frames }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return level * ((2 * state) / 2_147_483_647 - 1);
  });
}

test("what stays within full scale leaves as it came, later", () => {
  const samples = noise(12_800, 1);

  expect(limited(samples).subarray(AHEAD)).toEqual(samples.subarray(0, -AHEAD));
});

test("nothing leaves above full scale", () => {
  const samples = noise(48_000, 4);

  const most = limited(samples).reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);

  expect(most).toBeLessThanOrEqual(1 + 1e-6);
  expect(most).toBeGreaterThan(0.5);
});

test("after a peak it comes back to passing samples on unchanged", () => {
  const samples = noise(128 * 1000, 0.5);
  samples[1000] = 3;

  const result = limited(samples);

  expect(Math.abs(result[1000 + AHEAD] ?? 0)).toBeCloseTo(1, 5);
  expect(result.subarray(-12_800)).toEqual(samples.subarray(-12_800 - AHEAD, -AHEAD));
});
