/** What the pitch shifter's two sides, in the page and in the audio thread, have in common. */

import { reachOf } from "./resampling";

export const PROCESSOR = "stretch";
/** Name of the parameter. */
export const SEMITONES = "semitones";
/** As far as speeds of 0.5 to 1.5 and pitches of ±6 semitones can lead together. */
export const MAX_SEMITONES = 18;

/** How many times as high. */
export function ratioOf(semitones: number): number {
  return 2 ** (semitones / 12);
}

/** Frames that the resampling stays behind the engine. */
export const LAG_FRAMES = reachOf(ratioOf(MAX_SEMITONES)) + 1;

/**
 * How much later the sound leaves than it entered, in frames.
 *
 * @param engineFrames The engine's own latency: half of it is before it changes the length, and half
 *   of it, with the lag, after.
 */
export function latencyFrames(engineFrames: number, semitones: number): number {
  return Math.round(engineFrames / 2 + (engineFrames / 2 + LAG_FRAMES) / ratioOf(semitones));
}
