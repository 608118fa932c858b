/** What a job cost, in words. */

import type { Job } from "../api/client";
import { money } from "../ui/format";

export type Cost = NonNullable<Job["cost"]>;

/** `0.36 USD`. */
export function amountWords({ amount, currency }: Cost): string {
  return money(amount, currency);
}

/** What the money went for: `20 s to start, 40 s of work (5 s of it transfers), 300 s idle`. */
export function partWords({ start_s, computing_s, transfer_s, tail_s }: Cost): string {
  const transfers = isSome(transfer_s) ? ` (${seconds(transfer_s)} of it transfers)` : "";
  const parts = [
    isSome(start_s) && `${seconds(start_s)} to start`,
    `${seconds(computing_s)} of work${transfers}`,
    isSome(tail_s) && `${seconds(tail_s)} idle`,
  ];
  return parts.filter(Boolean).join(", ");
}

function isSome(time_s: number): boolean {
  return Math.round(time_s) > 0;
}

function seconds(time_s: number): string {
  return `${Math.round(time_s)} s`;
}
