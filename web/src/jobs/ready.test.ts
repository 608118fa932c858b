import { expect, test } from "vitest";
import { job } from "../api/job.fixture";
import type { Jobs } from "../api/job-cache";
import { ReadyJobs, readyOf } from "./ready";

const complete = (job_id: string, ended_at = "2026-11-24T11:00:00Z") =>
  job({ job_id, state: "complete", output_id: `of ${job_id}`, ended_at });
const open = (job_id: string) => job({ job_id, state: "processing" });
const ids = (jobs: Jobs) => jobs.map((each) => each.job_id);

test("what was complete before the page was opened is no news", () => {
  const ready = new ReadyJobs();
  const jobs = [complete("old"), open("new")];
  expect(readyOf(jobs, ready.old())).toEqual([]);
  expect(ready.look(jobs)).toEqual([]);
  expect(readyOf(jobs, ready.old())).toEqual([]);
});

test("a job that becomes ready is news once, even if nobody saw it run", () => {
  const ready = new ReadyJobs();
  ready.look([open("a")]);
  const jobs = [complete("b", "2026-11-24T11:02:00Z"), complete("a", "2026-11-24T11:01:00Z")];
  expect(ids(ready.look(jobs))).toEqual(["b", "a"]);
  expect(ready.look(jobs)).toEqual([]);
  expect(ids(readyOf(jobs.toReversed(), ready.old()))).toEqual(["b", "a"]);
});

test("what was dismissed does not come back, and listeners hear of it", () => {
  const ready = new ReadyJobs();
  ready.look([]);
  let heard = 0;
  ready.subscribe(() => {
    heard += 1;
  });
  ready.look([complete("a")]);
  ready.dismiss(["a"]);
  expect(heard).toBe(1);
  expect(readyOf([complete("a")], ready.old())).toEqual([]);
  expect(ready.look([complete("a")])).toEqual([]);
});

test("an output that was deleted is not ready", () => {
  const ready = new ReadyJobs();
  ready.look([]);
  expect(readyOf([{ ...complete("a"), output_id: null }], ready.old())).toEqual([]);
});
