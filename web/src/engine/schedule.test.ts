import { describe, expect, test } from "vitest";
import {
  cutPiece,
  hasRoom,
  type Limits,
  lastsFor,
  type PlacedPiece,
  positionAt,
  revise,
  unitOf,
  usableLoop,
  windowFrames,
} from "./schedule";

const plain: Limits = { frames: 480_000, rateHz: 48_000, loop: null, twentieths: 20 };
const looped: Limits = { ...plain, loop: { start: 100_000, end: 200_000 } };

/** Cuts pieces from a position on and places them without a gap. */
function placed(position: number, most: number, count: number, limits: Limits): PlacedPiece[] {
  const pieces: PlacedPiece[] = [];
  let next: number | null = position;
  let at = 1000;
  while (next !== null && pieces.length < count) {
    const cut = cutPiece(next, most, limits);
    if (cut === null) break;
    const lasts = lastsFor(cut.frames, limits.twentieths);
    pieces.push({ start: cut.start, frames: cut.frames, at, lasts });
    at += lasts;
    next = cut.next;
  }
  return pieces;
}

describe("cutPiece", () => {
  test("pieces follow each other up to the last frame", () => {
    const pieces = placed(12_345, 100_000, 99, plain);

    expect(pieces.map(({ start }) => start)).toEqual([12_345, 112_345, 212_345, 312_345, 412_345]);
    expect(pieces.at(-1)?.frames).toBe(480_000 - 412_345);
  });

  test("there is none at the end", () => {
    expect(cutPiece(480_000, 1000, plain)).toBeNull();
  });

  test("a piece ends with the loop, and the loop's start comes next", () => {
    const cut = cutPiece(150_000, 96_000, looped);

    expect(cut).toEqual({ start: 150_000, frames: 50_000, next: 100_000 });
  });

  test("what lies behind the loop is played to the end", () => {
    expect(placed(200_000, 200_000, 99, looped).at(-1)).toMatchObject({ start: 400_000 });
    expect(cutPiece(400_000, 96_000, looped)?.next).toBeNull();
  });

  test.each([10, 13, 15, 19, 21, 30])("at %i twentieths pieces are whole on both clocks", (n) => {
    const limits = { ...looped, twentieths: n };
    for (const piece of placed(33_333, 50_001, 12, limits)) {
      expect(piece.frames % unitOf(n)).toBe(0);
      expect(Number.isInteger(piece.lasts)).toBe(true);
      expect(piece.start + piece.frames).toBeLessThanOrEqual(200_000);
    }
  });

  test("the rest of a loop that lasts no whole frame is left out", () => {
    const limits = { ...looped, twentieths: 19 };

    expect(cutPiece(200_000 - 18, 1000, limits)?.start).toBe(100_000);
  });
});

test("a loop that is too short, or lies behind the end, is none", () => {
  expect(usableLoop({ ...plain, loop: { start: 10, end: 4000 } })).toBeNull();
  expect(usableLoop({ ...plain, loop: { start: 478_000, end: 999_999 } })).toBeNull();
  expect(usableLoop({ ...plain, loop: { start: -5, end: 999_999 } })).toEqual({
    start: 0,
    end: 480_000,
  });
});

test("windows grow to what memory allows, also with six stems", () => {
  expect([0, 1, 2, 3].map((n) => windowFrames(n, 48_000, 6 * 8))).toEqual([
    24_000, 48_000, 96_000, 125_000,
  ]);
  expect(windowFrames(9, 48_000, 2 * 8)).toBe(240_000);
});

test("three full windows fit beside each other, four do not", () => {
  expect(hasRoom(12_000_000, 6_000_000)).toBe(true);
  expect(hasRoom(18_000_000, 6_000_000)).toBe(false);
});

describe("positionAt", () => {
  const pieces = placed(150_000, 40_000, 4, looped);

  test("counts from the piece that sounds, over the wrap of a loop", () => {
    expect(positionAt(pieces, 1000 + 7, 20)).toBe(150_007);
    expect(positionAt(pieces, 1000 + 49_999, 20)).toBe(199_999);
    expect(positionAt(pieces, 1000 + 50_000, 20)).toBe(100_000);
  });

  test("stands before the first piece and behind the last", () => {
    expect(positionAt(pieces, 0, 20)).toBe(150_000);
    expect(positionAt(pieces, 10_000_000, 20)).toBe(180_000);
    expect(positionAt([], 0, 20)).toBeNull();
  });

  test("counts in the recording's frames at another speed", () => {
    const slow = placed(3000, 30_000, 1, { ...plain, twentieths: 15 });

    expect(positionAt(slow, 1000 + 4000, 15)).toBe(6000);
  });
});

describe("revise", () => {
  const straight = placed(0, 96_000, 4, plain);

  test("a loop that ends in a piece shortens it and drops what comes after", () => {
    expect(revise(straight, 5000, looped)).toEqual({ kept: 3, lastFrames: 8000, next: 100_000 });
  });

  test("a loop that ended already changes nothing", () => {
    const revision = revise(straight, 1000 + 210_000, looped);

    expect(revision).toEqual({ kept: 4, lastFrames: 96_000, next: 384_000 });
  });

  test("without its loop a plan goes on where it would have wrapped", () => {
    const wrapping = placed(150_000, 96_000, 3, looped);

    expect(revise(wrapping, 5000, plain)).toEqual({ kept: 1, lastFrames: 50_000, next: 200_000 });
  });
});
