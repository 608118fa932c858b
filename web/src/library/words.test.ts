import { expect, test } from "vitest";
import { ApiError } from "../api/client";
import { ago, quoted, reasonOf, recordingCount } from "./words";

const NOW = new Date(2026, 10, 24, 18, 30);

test.each([
  [new Date(2026, 10, 24, 18, 29, 30), "just now"],
  [new Date(2026, 10, 24, 18, 31), "just now"],
  [new Date(2026, 10, 24, 18, 29), "1 minute ago"],
  [new Date(2026, 10, 24, 17, 31), "59 minutes ago"],
  [new Date(2026, 10, 24, 17, 30), "1 hour ago"],
  [new Date(2026, 10, 24, 0, 0), "18 hours ago"],
  [new Date(2026, 10, 23, 23, 59), "yesterday"],
  [new Date(2026, 10, 23, 9, 0), "yesterday"],
  [new Date(2026, 10, 18, 9, 0), "6 days ago"],
])("a moment is said from now: %s", (moment, expected) => {
  expect(ago(moment, NOW)).toBe(expected);
});

test("what is long ago has its date", () => {
  expect(ago(new Date(2026, 10, 17, 9, 0), NOW)).toMatch(/17.*2026/);
});

test("a long name is cut between letters, not within one", () => {
  expect(quoted("Take 1")).toBe("“Take 1”");
  expect(quoted("🎸".repeat(61))).toBe(`“${"🎸".repeat(60)}…”`);
});

test("counts are read easily", () => {
  expect([0, 1, 10_000].map(recordingCount)).toEqual([
    "0 recordings",
    "1 recording",
    "10,000 recordings",
  ]);
});

test("a refusal is told in the service's words", () => {
  expect(reasonOf(new ApiError("forbidden", "It is not yours.", false, 403))).toBe(
    "It is not yours.",
  );
});
