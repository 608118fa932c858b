import { describe, expect, it } from "vitest";
import { LAG_FRAMES, latencyFrames, MAX_SEMITONES, ratioOf } from "./shift";

describe("ratioOf", () => {
  it("doubles with each octave", () => {
    expect([-12, 0, 12].map(ratioOf)).toEqual([0.5, 1, 2]);
  });
});

describe("latencyFrames", () => {
  it("is the engine's and the lag at the pitch that it was", () => {
    expect(latencyFrames(5760, 0)).toBe(5760 + LAG_FRAMES);
  });

  it("is shorter after the change of length where that is made up for by playing faster", () => {
    expect(latencyFrames(5760, 12)).toBe(2880 + Math.round((2880 + LAG_FRAMES) / 2));
    expect(latencyFrames(5760, -12)).toBe(2880 + 2 * (2880 + LAG_FRAMES));
  });

  it("has a lag that suffices for the highest pitch", () => {
    expect(LAG_FRAMES).toBeGreaterThan(16 * ratioOf(MAX_SEMITONES));
  });
});
