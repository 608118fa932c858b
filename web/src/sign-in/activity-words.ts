/** The audit log in plain words. */

import type { AuditEntry } from "../api/client";

type Say = (entry: AuditEntry) => string;

const REASONS: Record<string, string> = {
  email_unverified: "the address is not confirmed",
  not_a_member: "the address is not on the list",
};

/** What was done, to be read after who did it. */
const SAID: Record<string, Say> = {
  signed_in: () => "signed in",
  sign_in_refused: ({ detail }) => {
    const reason = REASONS[String(detail.code)];
    return reason ? `was not let in: ${reason}` : "was not let in";
  },
  signed_out: () => "signed out",
  signed_out_everywhere: ({ actor, subject }) =>
    subject === null || subject === actor
      ? "signed out on all devices"
      : `signed ${subject} out on all devices`,
  member_put: (entry) => `let ${entry.subject} sign in, ${asWhat(entry.detail)}`,
  member_removed: ({ subject }) => `took ${subject} off the list of members`,
  token_created: (entry) => `made the token ${named(entry)}`,
  token_revoked: (entry) => `revoked the token ${named(entry)}`,
  phone_paired: (entry) => `paired the phone ${named(entry)}`,
  phone_unpaired: (entry) => `unpaired the phone ${named(entry)}`,
  recording_deleted: (entry) => `deleted the recording ${named(entry)}`,
  output_deleted: (entry) =>
    entry.subject === null ? "deleted stems" : `deleted the stems of ${named(entry)}`,
  job_cancelled: (entry) => `cancelled the job ${named(entry)}`,
  model_installed: (entry) => `installed the model ${named(entry)}`,
};

/** What an entry tells; one that this page does not know yet, by its name. */
export function activityWords(entry: AuditEntry): string {
  const say = Object.hasOwn(SAID, entry.action) ? SAID[entry.action] : undefined;
  if (say) return say(entry).trimEnd();
  const action = entry.action.replaceAll("_", " ");
  return entry.subject === null ? action : `${action}: ${named(entry)}`;
}

export interface Day {
  readonly words: string;
  readonly entries: readonly AuditEntry[];
}

/** Entries by the day on which they were made, where this browser is. */
export function byDay(entries: readonly AuditEntry[]): Day[] {
  const days = new Map<string, AuditEntry[]>();
  for (const entry of entries) {
    const words = day.format(new Date(entry.at));
    days.set(words, [...(days.get(words) ?? []), entry]);
  }
  return [...days].map(([words, those]) => ({ words, entries: those }));
}

function asWhat({ role, profiles }: AuditEntry["detail"]): string {
  if (role === "admin") return "as an admin";
  return Array.isArray(profiles) ? `as a member, for ${profiles.join(", ")}` : "as a member";
}

function named({ subject }: AuditEntry): string {
  return subject === null ? "" : `“${subject}”`;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
