/** How long a job will take, told no finer than it is known. */

import { wait } from "../ui/format";

/** When a job will be done, from all that was said about it so far. */
export interface Estimate {
  readonly endsAtMs: number;
  /** How far what is said strays from `endsAtMs`, in ms. */
  readonly spreadMs: number;
  readonly saidAtMs: number;
}

/** What was said so long ago counts for a third. */
const MEMORY_MS = 15_000;
const MINUTE_MS = 60_000;

/**
 * An estimate that takes in one more time left; each on its own jumps about.
 *
 * @param before The estimate so far, null for none.
 * @param etaS Seconds left, as the service says.
 * @param nowMs The time.
 */
export function estimate(before: Estimate | null, etaS: number, nowMs: number): Estimate {
  const saidMs = nowMs + 1000 * etaS;
  // One that was given long ago, as before a sleep, knows nothing any more.
  if (!before || nowMs - before.saidAtMs > 8 * MEMORY_MS) {
    return { endsAtMs: saidMs, spreadMs: 250 * etaS, saidAtMs: nowMs };
  }
  const weight = 1 - Math.exp(-(nowMs - before.saidAtMs) / MEMORY_MS);
  const strays = Math.abs(saidMs - before.endsAtMs);
  return {
    endsAtMs: before.endsAtMs + weight * (saidMs - before.endsAtMs),
    spreadMs: before.spreadMs + weight * (strays - before.spreadMs),
    saidAtMs: nowMs,
  };
}

/** `about 4 min left`; a range where what is said strays: `3 to 5 min left`. */
export function leftWords(known: Estimate, nowMs: number): string {
  const leftMs = Math.max(0, known.endsAtMs - nowMs);
  const least = Math.max(1, Math.round((leftMs - known.spreadMs) / MINUTE_MS));
  const most = Math.round((leftMs + known.spreadMs) / MINUTE_MS);
  const isRange = least < most && most < 60;
  return isRange ? `${least} to ${most} min left` : `${wait(leftMs / 1000)} left`;
}
