/** Names, dates, counts and reasons as people read them. */

import { ApiError } from "../api/client";

const LONGEST_NAME = 60;
const DAY_S = 86_400;

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const counted = new Intl.NumberFormat("en");

/** A moment from now, for as long as that says more than its date: `5 minutes ago`, `yesterday`. */
export function ago(moment: Date, now: Date): string {
  const seconds = (now.getTime() - moment.getTime()) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute");
  const days = daysBetween(moment, now);
  if (days === 0) return relative.format(-Math.floor(seconds / 3600), "hour");
  if (days < 7) return relative.format(-days, "day");
  return day.format(moment);
}

/** A moment to the minute. */
export function exactly(moment: Date): string {
  return exact.format(moment);
}

/** A name in a sentence, cut where it would fill the page. */
export function quoted(name: string): string {
  const letters = [...name];
  const short = letters.length > LONGEST_NAME;
  return `“${short ? `${letters.slice(0, LONGEST_NAME).join("").trimEnd()}…` : name}”`;
}

/** `1 recording`, `10,000 recordings`. */
export function recordingCount(count: number): string {
  return `${counted.format(count)} ${count === 1 ? "recording" : "recordings"}`;
}

/** Why a call failed. */
export function reasonOf(error: unknown): string {
  return error instanceof ApiError ? error.detail : "The page itself failed.";
}

/** Midnights between two moments, where this browser is. */
function daysBetween(from: Date, to: Date): number {
  return Math.round((midnight(to).getTime() - midnight(from).getTime()) / (DAY_S * 1000));
}

function midnight(moment: Date): Date {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
}
