/** Which jobs are shown, and in which order. */

import type { Job } from "../api/client";
import { isRunning, type Jobs } from "../api/job-cache";

export interface Arrangement {
  /** Begun longest ago first. */
  readonly running: Jobs;
  /** In the order of their turns. */
  readonly queued: Jobs;
  /** Failed last first: those that nobody has dismissed, or done again. */
  readonly failed: Jobs;
}

const FAILED_SHOWN_MS = 7 * 24 * 3600 * 1000;

/**
 * @param jobs All that are known, the newest first.
 * @param dismissed Ids of failed ones that somebody wants to see no more.
 * @param nowMs The time.
 */
export function arrange(jobs: Jobs, dismissed: ReadonlySet<string>, nowMs: number): Arrangement {
  const oldestFirst = jobs.toReversed();
  const isShown = (job: Job) =>
    !dismissed.has(job.job_id) &&
    !isDoneAgain(job, jobs) &&
    endedAtMs(job) > nowMs - FAILED_SHOWN_MS;
  return {
    running: oldestFirst.filter(isRunning),
    queued: oldestFirst
      .filter((job) => job.state === "queued")
      .sort((one, other) => (one.queue_position ?? 0) - (other.queue_position ?? 0)),
    failed: jobs
      .filter((job) => job.state === "error" && isShown(job))
      .sort((one, other) => endedAtMs(other) - endedAtMs(one)),
  };
}

/** Whether there is a newer job for the same recording and profile, a retry for example. */
function isDoneAgain(job: Job, newestFirst: Jobs): boolean {
  const newest = newestFirst.find(
    (each) => each.recording_id === job.recording_id && each.profile_name === job.profile_name,
  );
  return newest !== undefined && newest.job_id !== job.job_id;
}

function endedAtMs(job: Job): number {
  return Date.parse(job.ended_at ?? job.created_at);
}
