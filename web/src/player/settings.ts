/**
 * How a recording is heard, as it is kept and sent: times in seconds, since outputs of one
 * recording differ in their rates, and nothing that JSON cannot hold. What comes from outside is
 * brought into range, and ignored where it makes no sense.
 */

import type { Mix, PlayableOutput, StemSettings } from "../engine/contract";

export const LEAST_DB = -48;
export const MOST_DB = 6;
export const SPEED = { least: 0.5, most: 1.5, step: 0.05 } as const;
export const MOST_SEMITONES = 6;
/** A shorter loop is a mistake of the hand. */
export const SHORTEST_LOOP_S = 0.1;

/** Below the least volume there is silence. */
export function isSilence(volumeDb: number): boolean {
  return volumeDb <= LEAST_DB;
}

export interface StemNote {
  /** null is silence. */
  readonly volumeDb: number | null;
  readonly isMuted: boolean;
  readonly isSoloed: boolean;
  readonly pan: number;
}

export interface LoopNote {
  readonly startS: number;
  readonly endS: number;
}

export interface Settings {
  readonly stems: Readonly<Record<string, StemNote>>;
  readonly masterDb: number | null;
  readonly isLevelled: boolean;
  readonly speed: number;
  readonly semitones: number;
  readonly loop: LoopNote | null;
}

export const PLAIN_STEM: StemNote = { volumeDb: 0, isMuted: false, isSoloed: false, pan: 0 };

export function settingsOf(mix: Mix, rateHz: number): Settings {
  const stems = Object.entries(mix.stems).map(([name, stem]) => [name, noteOf(stem)] as const);
  return {
    stems: Object.fromEntries(stems),
    masterDb: isSilence(mix.masterDb) ? null : mix.masterDb,
    isLevelled: mix.isLevelled,
    speed: mix.speed,
    semitones: mix.semitones,
    loop: mix.loop && { startS: mix.loop.start / rateHz, endS: mix.loop.end / rateHz },
  };
}

/** The mix of an output. Stems that the settings do not name are heard as they are. */
export function mixOf(settings: Settings, output: PlayableOutput): Mix {
  const stems = output.stems.map(
    ({ name }) => [name, stemOf(settings.stems[name] ?? PLAIN_STEM)] as const,
  );
  return {
    stems: Object.fromEntries(stems),
    masterDb: settings.masterDb ?? Number.NEGATIVE_INFINITY,
    isLevelled: settings.isLevelled,
    speed: settings.speed,
    semitones: settings.semitones,
    loop: loopOf(settings.loop, output),
  };
}

/** What a volume may be: silence, or a step of the slider. */
export function volumeFrom(value: unknown): number | null | undefined {
  if (value === null) return null;
  return isNumber(value) ? clamp(value, LEAST_DB, MOST_DB) : undefined;
}

export function panFrom(value: unknown): number | undefined {
  return isNumber(value) ? clamp(value, -1, 1) : undefined;
}

export function speedFrom(value: unknown): number | undefined {
  if (!isNumber(value)) return undefined;
  const steps = Math.round(clamp(value, SPEED.least, SPEED.most) / SPEED.step);
  return Number((steps * SPEED.step).toFixed(2));
}

export function semitonesFrom(value: unknown): number | undefined {
  return isNumber(value) ? Math.round(clamp(value, -MOST_SEMITONES, MOST_SEMITONES)) : undefined;
}

export function loopFrom(startS: unknown, endS: unknown): LoopNote | undefined {
  if (!isNumber(startS) || !isNumber(endS) || startS < 0) return undefined;
  return endS - startS >= SHORTEST_LOOP_S ? { startS, endS } : undefined;
}

export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

function noteOf(stem: StemSettings): StemNote {
  return { ...stem, volumeDb: isSilence(stem.volumeDb) ? null : stem.volumeDb };
}

function stemOf(note: StemNote): StemSettings {
  return { ...note, volumeDb: note.volumeDb ?? Number.NEGATIVE_INFINITY };
}

function loopOf(loop: LoopNote | null, output: PlayableOutput): Mix["loop"] {
  if (!loop) return null;
  const start = Math.round(loop.startS * output.rateHz);
  const end = Math.min(output.frames, Math.round(loop.endS * output.rateHz));
  return end - start >= SHORTEST_LOOP_S * output.rateHz ? { start, end } : null;
}
