/** What is said aloud of jobs, to who does not see the page. */

import type { Job } from "../api/client";
import { hasEnded, isRunning, type Jobs } from "../api/job-cache";
import { percent } from "./steps";

/** So many at once are told of at their ends only. */
const MOST_FOLLOWED = 3;

/** What is worth saying after a change: each tenth of the way, and each end. */
export function announcements(before: Jobs, after: Jobs): string[] {
  const known = new Map(before.map((job) => [job.job_id, job]));
  const isFollowed = after.filter(isRunning).length <= MOST_FOLLOWED;
  return after.flatMap((job) => {
    const was = known.get(job.job_id);
    if (!was || hasEnded(was)) return [];
    if (job.state === "complete") return [`${job.filename} is ready.`];
    if (job.state === "error") return [`${job.filename} has failed.`];
    if (job.state === "cancelled") return [`${job.filename} was cancelled.`];
    if (!isFollowed) return [];
    if (job.state === "waking" && was.state !== "waking") {
      return [`${job.filename}: waking the worker.`];
    }
    return tenth(job) > tenth(was) ? [`${job.filename}: ${10 * tenth(job)} percent.`] : [];
  });
}

function tenth(job: Job): number {
  return Math.floor(percent(job.progress) / 10);
}
