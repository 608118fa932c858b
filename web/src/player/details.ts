/** What is said about an output, read from its metadata, which others may have written. */

import type { Output } from "../api/client";

export interface Details {
  readonly durationS: number | null;
  readonly rateHz: number | null;
  readonly strategy: string | null;
  readonly warnings: readonly string[];
  /** Whether and how exactly the stems add up to the recording; null if nothing is known. */
  readonly sum: string | null;
}

const LOSSY: ReadonlySet<string> = new Set(["opus", "aac", "mp3"]);

export function detailsOf(output: Output): Details {
  const { metadata } = output;
  const recording = recordIn(metadata.recording);
  return {
    durationS: numberIn(recording.duration_s),
    rateHz: numberIn(recording.rate_hz),
    strategy: textIn(recordIn(metadata.strategy).name),
    warnings: Array.isArray(metadata.warnings)
      ? metadata.warnings.filter((each): each is string => typeof each === "string")
      : [],
    sum: sumInWords(
      metadata.sum_to_mix,
      numberIn(metadata.gain_db) ?? 0,
      LOSSY.has(output.format ?? ""),
    ),
  };
}

/** The claim holds for what went into the encoder; a lossy one changes each stem after that. */
function sumInWords(value: unknown, gainDb: number, isLossy: boolean): string | null {
  const sum = recordIn(value);
  const mix = gainDb === 0 ? "the recording" : `the recording at ${inDb(gainDb, 2)}`;
  const before = isLossy ? " before encoding" : "";
  if (sum.exact === true) return `The stems add up to ${mix} exactly${before}.`;
  const errorDb = numberIn(sum.error_db);
  if (errorDb === null) return null;
  return `The stems add up to ${mix} to within ${inDb(errorDb, 0)}${before}.`;
}

function inDb(value: number, digits: number): string {
  return `${value.toFixed(digits).replace("-", "−")} dB`;
}

function recordIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function numberIn(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function textIn(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
