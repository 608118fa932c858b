import { describe, expect, it } from "vitest";
import { RecentFrames, reachOf } from "./resampling";

const FRAMES = 2000;
const CAPACITY = 4096;

/** Reads a sine of so many radians per frame at every step, and gives the largest error. */
function largestError(radians: number, step: number): number {
  const recent = new RecentFrames(1, CAPACITY);
  recent.append([Float32Array.from({ length: FRAMES }, (_, at) => Math.sin(radians * at))], FRAMES);
  const target = new Float32Array(1);
  let largest = 0;
  for (let position = 200.3; position < FRAMES - reachOf(step) - 1; position += step) {
    recent.read(position, step, [target], 0);
    largest = Math.max(largest, Math.abs((target[0] ?? 0) - Math.sin(radians * position)));
  }
  return largest;
}

describe("RecentFrames", () => {
  it("gives the samples themselves at whole positions", () => {
    const samples = Float32Array.from({ length: 100 }, (_, at) => Math.cos(at * at));
    const recent = new RecentFrames(1, CAPACITY);
    recent.append([samples], 100);
    const target = new Float32Array(1);

    recent.read(50, 1, [target], 0);

    expect(target[0]).toBeCloseTo(samples[50] ?? 0, 7);
  });

  it.each([0.5, 0.84, 1, 1.19, 2, 2.83])("reads a sine exactly at a step of %f", (step) => {
    expect(largestError(0.6, step)).toBeLessThan(1e-4);
  });

  it("lets nothing fold back where samples are skipped", () => {
    const tooHigh = (2.4 / 2.83) * Math.PI;
    const recent = new RecentFrames(1, CAPACITY);
    const sine = Float32Array.from({ length: FRAMES }, (_, at) => Math.sin(tooHigh * at));
    recent.append([sine], FRAMES);
    const target = new Float32Array(1);

    let largest = 0;
    for (let position = 200; position < 1800; position += 2.83) {
      recent.read(position, 2.83, [target], 0);
      largest = Math.max(largest, Math.abs(target[0] ?? 1));
    }

    expect(largest).toBeLessThan(1e-4);
  });

  it("keeps channels apart, and the last frames of a long stream", () => {
    const recent = new RecentFrames(2, 64);
    for (let block = 0; block < 10; block += 1) {
      recent.append([new Float32Array(16).fill(0.25), new Float32Array(16).fill(-0.5)], 16);
    }
    const targets = [new Float32Array(2), new Float32Array(2)];

    recent.read(10 * 16 - 20.5, 1, targets, 1);

    expect(targets[0]?.[1]).toBeCloseTo(0.25, 4);
    expect(targets[1]?.[1]).toBeCloseTo(-0.5, 4);
    expect(targets[0]?.[0]).toBe(0);
  });
});
