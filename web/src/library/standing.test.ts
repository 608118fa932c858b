import { expect, test } from "vitest";
import type { Job, OutputSummary } from "../api/client";
import { job, output, recording } from "./recording.fixture";
import { outputWords, standingOf } from "./standing";

const standing = (newest_job: Job | null, outputs: OutputSummary[] = [], is_stored = true) =>
  standingOf(recording({ newest_job, outputs, is_stored }));

test("a job that runs is told with its whole percent", () => {
  expect(standing(job())).toEqual({
    kind: "working",
    words: "Being separated, 42 %",
    progress: 0.429,
  });
});

test("waiting and waking have no percent", () => {
  expect(standing(job({ state: "queued" }))).toMatchObject({ kind: "working", progress: null });
  expect(standing(job({ state: "waking" }))).toMatchObject({ words: "Waking the worker" });
  expect(standing(job({ state: "queued", held: "why" }))).toMatchObject({ words: "Held" });
});

test("stems that stand are ready, whatever became of a later job", () => {
  const failed = job({ state: "error", error: "The worker is out of memory." });
  expect(standing(job({ state: "complete" }), [output()])).toEqual({
    kind: "ready",
    problem: null,
  });
  expect(standing(failed, [output()])).toEqual({
    kind: "ready",
    problem: "The worker is out of memory.",
  });
});

test("a failure without stems says why", () => {
  const failed = job({ state: "error", error: "The worker is out of memory." });
  expect(standing(failed)).toEqual({
    kind: "failed",
    words: "The worker is out of memory.",
    job: failed,
  });
});

test("what was only uploaded, cancelled or collected says so", () => {
  expect(standing(null)).toMatchObject({ kind: "uploaded", words: "Not separated yet" });
  expect(standing(job({ state: "cancelled" }))).toMatchObject({ words: "Cancelled" });
  expect(standing(null, [], false)).toMatchObject({ words: "Nothing of it is here any more" });
});

test("outputs are told by profile and stems", () => {
  expect(outputWords(output())).toBe("band: vocals, accompaniment");
});
