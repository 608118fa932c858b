/** The list of jobs as the page keeps it, and what a change makes of it. */

import type { Job, JobState } from "./client";

/** Jobs, the newest first: all that are open, and the newest of those that have ended. */
export type Jobs = readonly Job[];

const RUNNING: ReadonlySet<JobState> = new Set<JobState>(["waking", "processing"]);
const ENDED: ReadonlySet<JobState> = new Set<JobState>(["complete", "error", "cancelled"]);

export function isRunning(job: Job): boolean {
  return RUNNING.has(job.state);
}

export function hasEnded(job: Job): boolean {
  return ENDED.has(job.state);
}

/** A list with a job as it is now: in its place, or as a new one. */
export function withJob(jobs: Jobs, job: Job): Jobs {
  const place = jobs.findIndex((each) => each.job_id === job.job_id);
  const known = jobs[place];
  if (!known) return newestFirst([job, ...jobs]);
  // A job that has ended never changes: what says otherwise was on its way for long.
  if (hasEnded(known) && !hasEnded(job)) return jobs;
  return jobs.with(place, job);
}

/** A list none of whose jobs leads to an output that was deleted. */
export function withoutOutput(jobs: Jobs, outputId: string): Jobs {
  if (!jobs.some((job) => job.output_id === outputId)) return jobs;
  return jobs.map((job) => (job.output_id === outputId ? { ...job, output_id: null } : job));
}

/** Whether some job is in another state than before, or new. */
export function statesDiffer(before: Jobs, after: Jobs): boolean {
  const states = new Map(before.map((job) => [job.job_id, job.state]));
  return after.some((job) => states.get(job.job_id) !== job.state);
}

export function newestFirst(jobs: Jobs): Jobs {
  return jobs.toSorted((one, other) => Date.parse(other.created_at) - Date.parse(one.created_at));
}

/**
 * Jobs that events told of lately. A list that was asked for before an event came may be older than
 * the event, so whoever reads a list puts on top of it what came meanwhile.
 */
export class Arrivals {
  static readonly #KEPT = 1000;
  readonly #latest = new Map<string, { readonly job: Job; readonly number: number }>();
  #count = 0;

  /** A moment, to give to `since`. */
  mark(): number {
    return this.#count;
  }

  note(job: Job): void {
    this.#count += 1;
    this.#latest.delete(job.job_id);
    this.#latest.set(job.job_id, { job, number: this.#count });
    const oldest = this.#latest.keys().next();
    if (this.#latest.size > Arrivals.#KEPT && !oldest.done) this.#latest.delete(oldest.value);
  }

  since(mark: number): Jobs {
    return [...this.#latest.values()].filter(({ number }) => number > mark).map(({ job }) => job);
  }
}
