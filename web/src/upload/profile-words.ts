/** Profiles in words. */

import type { Profile } from "../api/client";
import { money, wait } from "../ui/format";

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
export function costOf({ realtime_factor, price }: Profile): string {
  if (realtime_factor === null) {
    const and = price === null ? "" : " and costs";
    return `How long that takes${and} is known after the first job.`;
  }
  const takes = `An hour of audio takes ${wait(realtime_factor * HOUR_S)}`;
  if (price === null) return `${takes}.`;
  const costs = money(realtime_factor * price.hour, price.currency);
  const idles = money((price.idle_s * price.hour) / HOUR_S, price.currency);
  const more = price.idle_s > 0 ? `, and up to ${idles} for idling afterwards` : "";
  return `${takes} and costs about ${costs}${more}.`;
}

/** What was spent of what may be, null where no price is known. */
export function spentOf({ price, spent, monthly_cap }: Profile): string | null {
  if (price === null || spent === null) return null;
  const soFar = money(spent, price.currency);
  return monthly_cap === null
    ? `This month it cost ${soFar}.`
    : `This month it cost ${soFar} of ${money(monthly_cap, price.currency)}.`;
}
