/** Profiles in words. */

import type { Profile } from "../api/client";
import { wait } from "../ui/format";

const FORMATS: Record<Profile["output"]["format"], string> = {
  opus: "Opus files",
  aac: "AAC files (m4a)",
  mp3: "MP3 files",
  flac: "FLAC files, without loss",
  wav: "WAV files, without loss",
};
const HOUR_S = 3600;

/** `vocals, drums and bass`. */
export function listed(words: readonly string[]): string {
  return new Intl.ListFormat("en-GB", { type: "conjunction" }).format(words);
}

/** How stems are written: `Opus files at 192 kbit/s`, `24-bit WAV files, without loss`. */
export function formatOf({ format, bitrate, depth }: Profile["output"]): string {
  const samples = depth === null ? "" : `${Number.parseInt(depth, 10)}-bit `;
  const float = depth?.endsWith("f") ? "float " : "";
  const at = bitrate === null ? "" : ` at ${bitrate} kbit/s`;
  return `${samples}${float}${FORMATS[format]}${at}`;
}

/** Where the work is done. */
export function placeOf({ remote, waking_s }: Profile): string {
  if (!remote) return "The machine that Stemset runs on does it.";
  const takes = waking_s === null ? "" : `, which takes ${wait(waking_s)}`;
  return `The worker does it, and may have to wake up first${takes}.`;
}

/** What it takes, from the newest jobs. */
export function costOf({ realtime_factor }: Profile): string {
  return realtime_factor === null
    ? "How long that takes is known after the first job."
    : `An hour of audio takes ${wait(realtime_factor * HOUR_S)}.`;
}
