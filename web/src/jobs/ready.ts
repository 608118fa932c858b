/** Jobs that were completed while the page was open, until somebody has seen to them. */

import { useSyncExternalStore } from "react";
import type { Jobs } from "../api/job-cache";

/** Which complete jobs are old: those of the first list, and those that were dismissed. */
export class ReadyJobs {
  #old: ReadonlySet<string> | null = null;
  readonly #told = new Set<string>();
  readonly #listeners = new Set<() => void>();

  /** Ids of old ones; null until there was a list. Another object with each change. */
  readonly old = (): ReadonlySet<string> | null => this.#old;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Look at the list as it is now.
   *
   * @returns Jobs that have become ready since the last look; at the first one there are none.
   */
  look(jobs: Jobs): Jobs {
    if (this.#old === null) this.dismiss(jobs.filter(isComplete).map((job) => job.job_id));
    const news = readyOf(jobs, this.#old).filter((job) => !this.#told.has(job.job_id));
    for (const job of news) this.#told.add(job.job_id);
    return news;
  }

  dismiss(ids: readonly string[]): void {
    this.#old = new Set([...(this.#old ?? []), ...ids]);
    for (const listener of this.#listeners) listener();
  }
}

/** Those of a list that have become ready and can be played, the last one first. */
export function readyOf(jobs: Jobs, old: ReadonlySet<string> | null): Jobs {
  if (old === null) return [];
  return jobs
    .filter((job) => isComplete(job) && job.output_id !== null && !old.has(job.job_id))
    .sort((one, other) => Date.parse(other.ended_at ?? "") - Date.parse(one.ended_at ?? ""));
}

export const readyJobs = new ReadyJobs();

export function useReady(jobs: Jobs): Jobs {
  return readyOf(jobs, useSyncExternalStore(readyJobs.subscribe, readyJobs.old));
}

function isComplete(job: Jobs[number]): boolean {
  return job.state === "complete";
}
