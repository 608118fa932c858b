/**
 * The arithmetic of playing: which piece comes next, where it begins, what is heard at a moment.
 *
 * Two clocks, both in whole frames: that of the recording (`start`, `frames`) and that of the audio
 * device (`at`, `lasts`). A speed is a number of twentieths, so that pieces can be cut to be whole
 * on both: a piece of n frames at n twentieths lasts 20.
 */

import type { Loop } from "./contract";

const TWENTIETHS = 20;
/** Loops shorter than this are not repeated. */
const MIN_LOOP_S = 0.1;
/** Decoded audio of one window of all stems. Three are alive at most, beside what decoders hold. */
const WINDOW_BYTES = 6_000_000;
const WINDOW_S = 5;
/** The first windows are short: the first is heard soon, and each covers the loading of the next. */
const FIRST_WINDOWS_S = [0.5, 1, 2] as const;

/** What pieces are cut by. */
export interface Limits {
  readonly frames: number;
  readonly rateHz: number;
  readonly loop: Loop | null;
  /** Speed in twentieths: 20 is as recorded. */
  readonly twentieths: number;
}

/** A stretch of the recording that is played in one go. */
export interface Piece {
  readonly start: number;
  readonly frames: number;
}

/** A piece, and the frame that comes after it; null is the end. */
export interface Cut extends Piece {
  readonly next: number | null;
}

/** A piece that has its time. */
export interface PlacedPiece extends Piece {
  /** The device's frame at which it begins. */
  readonly at: number;
  /** How many of the device's frames it takes. */
  readonly lasts: number;
}

/** A speed in twentieths, 0.5 to 1.5. */
export function twentiethsOf(speed: number): number {
  return Math.min(Math.max(Math.round(speed * TWENTIETHS), 10), 30);
}

/** The least number of frames that lasts a whole number of the device's frames. */
export function unitOf(twentieths: number): number {
  return twentieths / commonDivisor(twentieths, TWENTIETHS);
}

/** How many of the device's frames some frames take. */
export function lastsFor(frames: number, twentieths: number): number {
  return (frames * TWENTIETHS) / twentieths;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** The loop, if it can be repeated. */
export function usableLoop({ loop, frames, rateHz }: Limits): Loop | null {
  if (loop === null) return null;
  const [start, end] = [Math.max(loop.start, 0), Math.min(loop.end, frames)];
  return end - start >= MIN_LOOP_S * rateHz ? { start, end } : null;
}

/** How long the n-th window after a seek is: it grows up to what memory allows. */
export function windowFrames(number: number, rateHz: number, frameBytes: number): number {
  const seconds = FIRST_WINDOWS_S[number] ?? WINDOW_S;
  return Math.floor(Math.min(seconds * rateHz, WINDOW_BYTES / frameBytes));
}

/** Whether another window fits beside the decoded audio that waits to be played. */
export function hasRoom(heldBytes: number, windowBytes: number): boolean {
  return heldBytes + windowBytes <= 3 * WINDOW_BYTES;
}

/**
 * The piece that begins at a position, `most` frames at most; null at the end.
 *
 * What is left of a recording or a loop and lasts no whole frame is left out: less than 1 ms.
 */
export function cutPiece(position: number, most: number, limits: Limits): Cut | null {
  const loop = usableLoop(limits);
  const unit = unitOf(limits.twentieths);
  const left = endFrom(position, loop, limits) - position;
  if (left < unit) {
    const next = after(position, loop, limits);
    return next === null ? null : cutPiece(next, most, limits);
  }
  const wanted = Math.max(most, unit);
  const frames = Math.min(left - (left % unit), wanted - (wanted % unit));
  return { start: position, frames, next: after(position + frames, loop, limits, position) };
}

/** Where what is played from a position on ends: at the loop's end, if the loop lies ahead. */
function endFrom(position: number, loop: Loop | null, limits: Limits): number {
  return loop !== null && position < loop.end ? loop.end : limits.frames;
}

/** The frame that follows when all before `position`, from `start` on, has been played. */
function after(
  position: number,
  loop: Loop | null,
  limits: Limits,
  start = position,
): number | null {
  if (endFrom(start, loop, limits) - position >= unitOf(limits.twentieths)) return position;
  return loop !== null && start < loop.end ? loop.start : null;
}

/** The frame of the recording that the device plays at a frame of its own. */
export function positionAt(
  pieces: readonly PlacedPiece[],
  frame: number,
  twentieths: number,
): number | null {
  const piece = pieces.findLast(({ at }) => at <= frame) ?? pieces[0];
  if (piece === undefined) return null;
  const played = Math.floor(((frame - piece.at) * twentieths) / TWENTIETHS);
  return piece.start + Math.min(Math.max(played, 0), piece.frames);
}

/** What remains of a plan. */
export interface Revision {
  /** How many of its pieces stay. */
  readonly kept: number;
  /** The frames that the last of them has now. */
  readonly lastFrames: number;
  /** What comes after it; null is the end. */
  readonly next: number | null;
}

/**
 * Finds how far pieces that wait to be played fit new limits, and where to go on from there.
 *
 * @param from The device's frame before which nothing can be changed any more.
 */
export function revise(pieces: readonly PlacedPiece[], from: number, limits: Limits): Revision {
  const loop = usableLoop(limits);
  const unit = unitOf(limits.twentieths);
  const sounding = pieces.findIndex(({ at, lasts }) => at + lasts > from);
  let kept = sounding < 0 ? pieces.length - 1 : sounding;
  for (; ; kept += 1) {
    const piece = pieces[kept];
    if (piece === undefined) return { kept: 0, lastFrames: 0, next: null };
    const left = endFrom(piece.start, loop, limits) - piece.start;
    const frames = left - (left % unit);
    const endsEarly = frames < piece.frames;
    if (endsEarly && piece.at + lastsFor(frames, limits.twentieths) > from) {
      const next = after(piece.start + frames, loop, limits, piece.start);
      return { kept: kept + 1, lastFrames: frames, next };
    }
    const end = piece.start + piece.frames;
    // A piece that cannot end early any more has left the loop behind.
    const next = after(end, loop, limits, endsEarly ? end : piece.start);
    if (pieces[kept + 1]?.start !== next) {
      return { kept: kept + 1, lastFrames: piece.frames, next };
    }
  }
}
