import { expect, test } from "vitest";
import { job } from "../api/job.fixture";
import { arrange } from "./arrangement";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const NOBODY: ReadonlySet<string> = new Set();

const ids = (jobs: readonly { job_id: string }[]) => jobs.map((each) => each.job_id);

test("running jobs come oldest first, queued ones by their turn, failed ones newest first", () => {
  const jobs = [
    job({ job_id: "f1", state: "error", recording_id: "1", ended_at: "2026-11-24T11:00:00Z" }),
    job({ job_id: "q2", state: "queued", recording_id: "2", queue_position: 3 }),
    job({ job_id: "q1", state: "queued", recording_id: "3", queue_position: 1 }),
    job({ job_id: "r2", state: "processing", recording_id: "4" }),
    job({ job_id: "f2", state: "error", recording_id: "5", ended_at: "2026-11-24T11:30:00Z" }),
    job({ job_id: "r1", state: "waking", recording_id: "6" }),
    job({ job_id: "c", state: "complete", recording_id: "7" }),
  ];
  const { running, queued, failed } = arrange(jobs, NOBODY, NOW);
  expect(ids(running)).toEqual(["r1", "r2"]);
  expect(ids(queued)).toEqual(["q1", "q2"]);
  expect(ids(failed)).toEqual(["f2", "f1"]);
});

test("a failed job that was done again is not shown, whatever became of the new one", () => {
  for (const state of ["queued", "complete", "error", "cancelled"] as const) {
    const jobs = [
      job({ job_id: "new", state, retry_of: "old", ended_at: "2026-11-24T11:30:00Z" }),
      job({ job_id: "old", state: "error", ended_at: "2026-11-24T11:00:00Z" }),
    ];
    expect(ids(arrange(jobs, NOBODY, NOW).failed)).toEqual(state === "error" ? ["new"] : []);
  }
});

test("a failure stays while the same recording is split for another profile", () => {
  const jobs = [
    job({ job_id: "other", state: "complete", profile_name: "songs" }),
    job({ job_id: "failed", state: "error", ended_at: "2026-11-24T11:00:00Z" }),
  ];
  expect(ids(arrange(jobs, NOBODY, NOW).failed)).toEqual(["failed"]);
});

test("a failed job that was dismissed, or failed more than a week ago, is not shown", () => {
  const jobs = [
    job({ job_id: "a", recording_id: "a", state: "error", ended_at: "2026-11-24T11:00:00Z" }),
    job({ job_id: "b", recording_id: "b", state: "error", ended_at: "2026-11-17T11:59:00Z" }),
  ];
  expect(ids(arrange(jobs, new Set(["a"]), NOW).failed)).toEqual([]);
  expect(ids(arrange(jobs, NOBODY, NOW).failed)).toEqual(["a"]);
});
