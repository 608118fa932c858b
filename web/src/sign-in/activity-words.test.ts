import { expect, test } from "vitest";
import type { AuditEntry } from "../api/client";
import { activityWords, byDay } from "./activity-words";

function entry(action: string, more: Partial<AuditEntry> = {}): AuditEntry {
  const nothing = { subject: null, detail: {}, address: null, request_id: null };
  return {
    id: 1,
    at: "2026-11-29T12:00:00Z",
    actor: "anna@example.org",
    action,
    ...nothing,
    ...more,
  };
}

test.each([
  ["signed_in", {}, "signed in"],
  [
    "sign_in_refused",
    { detail: { code: "not_a_member" } },
    "was not let in: the address is not on the list",
  ],
  ["sign_in_refused", { detail: { code: "other" } }, "was not let in"],
  ["signed_out_everywhere", {}, "signed out on all devices"],
  [
    "signed_out_everywhere",
    { subject: "ben@example.org" },
    "signed ben@example.org out on all devices",
  ],
  [
    "member_put",
    { subject: "ben@example.org", detail: { role: "member", profiles: ["band"] } },
    "let ben@example.org sign in, as a member, for band",
  ],
  [
    "member_put",
    { subject: "ben@example.org", detail: { role: "admin", profiles: null } },
    "let ben@example.org sign in, as an admin",
  ],
  ["recording_deleted", { subject: "Tuesday" }, "deleted the recording “Tuesday”"],
  ["recording_deleted", {}, "deleted the recording"],
  ["output_deleted", { subject: "Tuesday" }, "deleted the stems of “Tuesday”"],
])("%s is told in plain words: %j", (action, more, words) => {
  expect(activityWords(entry(action, more))).toBe(words);
});

test("what this page does not know yet is told by its name", () => {
  expect(activityWords(entry("disk_swept"))).toBe("disk swept");
  expect(activityWords(entry("disk_swept", { subject: "inputs" }))).toBe("disk swept: “inputs”");
  expect(activityWords(entry("constructor"))).toBe("constructor");
});

test("entries of a day stand together, in their order", () => {
  const noon = entry("signed_in", { id: 3 });
  const morning = entry("signed_out", { id: 2, at: "2026-11-29T11:00:00Z" });
  const before = entry("signed_in", { id: 1, at: "2026-11-27T12:00:00Z" });
  const days = byDay([noon, morning, before]);
  expect(days.map(({ entries }) => entries.map(({ id }) => id))).toEqual([[3, 2], [1]]);
  expect(days[0]?.words).toContain("2026");
});
