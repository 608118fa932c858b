import { describe, expect, test, vi } from "vitest";
import type { PlayableOutput } from "../engine/contract";
import { fakeOutput } from "./fake-player";
import { NotPeaks, Peaks, parseHeader, type ReadPeaks, resolutionFor } from "./peaks";

const RATE_HZ = 48_000;

/** A peaks file in which pixel `i` reaches from `-i % 100` to `i % 100`. */
function peaksFile(samplesPerPixel: number, pixels: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(24 + 2 * pixels);
  const fields = new DataView(data.buffer);
  for (const [index, value] of [2, 1, RATE_HZ, samplesPerPixel, pixels, 1].entries()) {
    fields.setInt32(4 * index, value, true);
  }
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    fields.setInt8(24 + 2 * pixel, -(pixel % 100));
    fields.setInt8(25 + 2 * pixel, pixel % 100);
  }
  return data;
}

const FILES = new Map([
  [256, peaksFile(256, 100_000)],
  [16_384, peaksFile(16_384, 1563)],
]);

function opened(read?: ReadPeaks) {
  const asked: string[] = [];
  const plain: ReadPeaks = async (_stem, samplesPerPixel, from, to) => {
    asked.push(`${samplesPerPixel}:${from}-${to}`);
    return FILES.get(samplesPerPixel)?.slice(from, to) ?? new Uint8Array(0);
  };
  const output = fakeOutput((100_000 * 256) / RATE_HZ, ["vocals"]);
  const withPeaks: PlayableOutput = {
    ...output,
    stems: output.stems.map((stem) => ({
      ...stem,
      peaks: new Map(
        [...FILES].map(([spp, { length }]) => [spp, { url: "", bytes: length }] as const),
      ),
    })),
  };
  return { peaks: new Peaks(withPeaks, read ?? plain), asked };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("parseHeader", () => {
  test("reads rate, resolution and number of pixels", () => {
    expect(parseHeader(peaksFile(1024, 7))).toEqual({
      rateHz: 48_000,
      samplesPerPixel: 1024,
      pixels: 7,
    });
  });

  test.each([
    ["a file that is cut off", new Uint8Array(23)],
    ["another version", peaksFile(256, 1).fill(1, 0, 1)],
    ["16-bit pixels", peaksFile(256, 1).fill(0, 4, 5)],
    ["two channels", peaksFile(256, 1).fill(2, 20, 21)],
    ["no rate", peaksFile(256, 1).fill(0, 8, 12)],
  ])("refuses %s", (_what, data) => {
    expect(() => parseHeader(data)).toThrow(NotPeaks);
  });
});

test.each([
  [100, 256],
  [256, 256],
  [4095, 1024],
  [4096, 4096],
  [1_000_000, 16_384],
])("%d samples per column are drawn from pixels of %d", (samplesPerColumn, chosen) => {
  expect(resolutionFor([256, 1024, 4096, 16_384], samplesPerColumn)).toBe(chosen);
});

describe("Peaks", () => {
  test("shows the coarsest pixels at once and reads nothing finer for the whole recording", async () => {
    const { peaks, asked } = opened();
    await peaks.open();
    const { maxima } = peaks.columns("vocals", { start: 0, length: 533 }, 100);
    expect(asked).toEqual([`16384:0-${24 + 2 * 1563}`]);
    // 15.6 pixels per column: the first holds pixels 0 to 14.
    expect(maxima[0]).toBe(14);
  });

  test("reads only the finer tile that is in the view, and then shows it", async () => {
    const { peaks, asked } = opened();
    await peaks.open();
    const span = { start: (5000 * 256) / RATE_HZ, length: (200 * 256) / RATE_HZ };
    peaks.columns("vocals", span, 200);
    await settled();
    const from = 24 + 2 * 4096;
    expect(asked.slice(1)).toEqual([`256:${from}-${from + 8192}`]);
    const { minima, maxima } = peaks.columns("vocals", span, 200);
    expect(maxima[7]).toBe(7);
    expect(minima[199]).toBe(-99);
    expect(asked).toHaveLength(2);
  });

  test("reads the last tile as far as the file goes", async () => {
    const { peaks, asked } = opened();
    await peaks.open();
    const end = (100_000 * 256) / RATE_HZ;
    peaks.columns("vocals", { start: end - 2, length: 2 }, 400);
    await settled();
    expect(asked.at(-1)).toBe(`256:${24 + 2 * 24 * 4096}-${24 + 2 * 100_000}`);
  });

  test("tells when a tile has come", async () => {
    const { peaks } = opened();
    await peaks.open();
    const told = vi.fn();
    peaks.subscribe(told);
    peaks.columns("vocals", { start: 10, length: 2 }, 400);
    await settled();
    expect(told).toHaveBeenCalledWith("vocals");
  });

  test("asks for two tiles at once at most, and not for those that are not looked at any more", async () => {
    const answers: (() => void)[] = [];
    const asked: number[] = [];
    const { peaks } = opened(async (_stem, samplesPerPixel, from, to) => {
      if (samplesPerPixel === 256) {
        asked.push(from);
        await new Promise<void>((resolve) => answers.push(resolve));
      }
      return FILES.get(samplesPerPixel)?.slice(from, to) ?? new Uint8Array(0);
    });
    await peaks.open();
    peaks.columns("vocals", { start: 0, length: 100 }, 20_000);
    expect(asked).toHaveLength(2);
    peaks.columns("vocals", { start: 500, length: 2 }, 400);
    for (const answer of answers) answer();
    await settled();
    expect(asked).toHaveLength(3);
  });

  test("does not ask again at once for what failed, and shows the coarse pixels", async () => {
    let tries = 0;
    const { peaks } = opened(async (_stem, samplesPerPixel, from, to) => {
      if (samplesPerPixel === 256) {
        tries += 1;
        throw new Error("lost");
      }
      return FILES.get(samplesPerPixel)?.slice(from, to) ?? new Uint8Array(0);
    });
    await peaks.open();
    const span = { start: 300, length: 2 };
    peaks.columns("vocals", span, 400);
    await settled();
    const { maxima } = peaks.columns("vocals", span, 400);
    expect(tries).toBe(1);
    expect(maxima[0]).toBe(Math.floor((300 * RATE_HZ) / 16_384) % 100);
  });

  test("a stem whose peaks cannot be read is silent in the picture and hinders no other", async () => {
    const { peaks } = opened(async () => {
      throw new Error("gone");
    });
    await peaks.open();
    expect(peaks.columns("vocals", { start: 0, length: 10 }, 4).maxima).toEqual(new Int8Array(4));
  });
});
