import { expect, test } from "vitest";
import { job } from "../api/job.fixture";
import { doing, isPaced, ordinal, stepsOf } from "./steps";

const now = (facts: Parameters<typeof job>[0]) =>
  stepsOf(job(facts)).find((step) => step.state === "now")?.name;

test("each phase has its step, and only a worker has to be woken", () => {
  expect(now({ state: "queued" })).toBe("Waiting");
  expect(now({ state: "waking", remote: true })).toBe("Waking the worker");
  for (const [phase, step] of [
    ["loading", "Getting ready"],
    ["downloading", "Getting ready"],
    ["separating", "Separating"],
    ["encoding", "Encoding"],
    ["uploading", "Saving"],
    ["of a newer version", "Getting ready"],
  ] as const) {
    expect(now({ state: "processing", phase })).toBe(step);
  }
  expect(stepsOf(job()).map((step) => step.name)).not.toContain("Waking the worker");
});

test("steps before the present one are done, those after it are not", () => {
  const steps = stepsOf(job({ state: "processing", phase: "separating", remote: true }));
  expect(steps.map((step) => step.state)).toEqual([
    "done",
    "done",
    "done",
    "now",
    "later",
    "later",
  ]);
});

test("a job that waits says its place, one that was stopped says that it goes on", () => {
  expect(doing(job({ queue_position: 0 }))).toBe("Next in line");
  expect(doing(job({ queue_position: 2 }))).toBe("3rd in line");
  expect(doing(job({ queue_position: null }))).toBe("Waiting for its turn");
  expect(doing(job({ queue_position: 0, started_at: "2026-11-24T10:01:00Z" }))).toContain(
    "goes on",
  );
});

test("ordinals end as they are spoken", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111].map(ordinal)).toEqual([
    "1st",
    "2nd",
    "3rd",
    "4th",
    "11th",
    "12th",
    "13th",
    "21st",
    "22nd",
    "103rd",
    "111th",
  ]);
});

test("no time left is told before a tenth is done, nor while nothing is separated", () => {
  const separating = { state: "processing", phase: "separating" } as const;
  expect(isPaced(job({ ...separating, progress: 0.09 }))).toBe(false);
  expect(isPaced(job({ ...separating, progress: 0.1 }))).toBe(true);
  expect(isPaced(job({ ...separating, phase: "uploading", progress: 0.97 }))).toBe(false);
});
