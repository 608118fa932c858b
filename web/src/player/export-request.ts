/** What the service is asked for when the mix is exported as it is heard. */

import type { components } from "../api/schema";
import type { Mix, PlayableOutput } from "../engine/contract";
import { clamp, isSilence } from "./settings";

export type ExportRequest = components["schemas"]["ExportRequest"];
export type ExportView = components["schemas"]["ExportView"];
export type ExportFormat = ExportRequest["format"];

const LEAST_GAIN_DB = -120;
const MOST_GAIN_DB = 24;

/** The request; null if nothing would be heard. */
export function exportRequest(
  mix: Mix,
  output: PlayableOutput,
  format: ExportFormat,
  isLoopOnly: boolean,
): ExportRequest | null {
  const hasSolo = Object.values(mix.stems).some((stem) => stem.isSoloed);
  const heard = output.stems.flatMap(({ name, gainDb }) => {
    const stem = mix.stems[name];
    if (!stem || stem.isMuted || (hasSolo && !stem.isSoloed) || isSilence(stem.volumeDb)) return [];
    const level = stem.volumeDb + (mix.isLevelled ? gainDb : 0);
    return [[name, { gain_db: clamp(level, LEAST_GAIN_DB, MOST_GAIN_DB), pan: stem.pan }] as const];
  });
  if (heard.length === 0 || isSilence(mix.masterDb)) return null;
  const loop = isLoopOnly ? mix.loop : null;
  return {
    stems: Object.fromEntries(heard),
    master_db: mix.masterDb,
    speed: mix.speed,
    semitones: mix.semitones,
    format,
    ...(loop && { start_s: loop.start / output.rateHz, end_s: loop.end / output.rateHz }),
  };
}
