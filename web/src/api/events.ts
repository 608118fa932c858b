/** What the service tells, brought into what the page keeps. */

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError, type Job } from "./client";
import { connection } from "./connection";
import { followEvents } from "./event-sharing";
import type { ServiceEvent } from "./event-stream";
import { hasEnded, isRunning, type Jobs, withoutOutput } from "./job-cache";
import { keepJob } from "./jobs";
import { keys, readAnew } from "./queries";

export { type Connection, useConnection } from "./connection";

/** Events come in flocks: what they make stale is read once for all of them. */
const SOON_MS = 1000;
/** A job that runs is told of every few seconds; without one there may be nothing to tell. */
const QUIET_RUNNING_MS = 45_000;
const QUIET_MS = 300_000;

/** Keep everything up to date for as long as the page is open. Used once, by the page itself. */
export function useEvents(): void {
  const client = useQueryClient();
  useEffect(() => {
    let end = begin(client);
    const onHide = () => end();
    const onShow = (event: PageTransitionEvent) => {
      if (event.persisted) end = begin(client); // back from the browser's memory of pages
    };
    addEventListener("pagehide", onHide);
    addEventListener("pageshow", onShow);
    return () => {
      removeEventListener("pagehide", onHide);
      removeEventListener("pageshow", onShow);
      end();
    };
  }, [client]);
}

function begin(client: QueryClient): () => void {
  const keeper = new CacheKeeper(client);
  connection.noteStream(false);
  const stopFollowing = followEvents(
    {
      onEvent: (event) => keeper.apply(event),
      onOpen: (isOpen) => connection.noteStream(isOpen),
    },
    () => (jobsIn(client).some(isRunning) ? QUIET_RUNNING_MS : QUIET_MS),
  );
  // After a change of the connection a look shows at once what is so, and how it stands itself. What
  // nobody answered while the service was away is asked for again.
  const stopWatching = connection.subscribe(() => {
    if (connection.current() === "lost") return;
    void client.invalidateQueries({
      predicate: ({ queryKey, state }) => queryKey[0] === keys.jobs[0] || isSilence(state.error),
    });
  });
  const stopListening = client.getQueryCache().subscribe((told) => {
    if (told.type !== "updated" || told.query.queryKey[0] !== keys.jobs[0]) return;
    const { action } = told;
    if (action.type === "success") connection.noteAnswer(true);
    if ((action.type === "failed" || action.type === "error") && isSilence(action.error)) {
      connection.noteAnswer(false);
    }
  });
  return () => {
    stopFollowing();
    stopWatching();
    stopListening();
    keeper.close();
  };
}

/** Whether a call failed for want of a service, and was not refused or given up. */
function isSilence(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500);
}

function jobsIn(client: QueryClient): Jobs {
  return client.getQueryData<Jobs>(keys.jobs) ?? [];
}

/** Brings events into the cache: jobs in place, whatever else by having it read again. */
export class CacheKeeper {
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(private readonly client: QueryClient) {}

  apply(event: ServiceEvent): void {
    switch (event.kind) {
      case "hello":
      case "reset":
        void readAnew(this.client, keys.jobs);
        void readAnew(this.client, keys.recordings);
        // One that plays goes on playing; whoever opens one reads it anew.
        void this.client.invalidateQueries({ queryKey: ["outputs"], refetchType: "none" });
        break;
      case "job":
        this.#applyJob(event.job);
        break;
      case "recording":
        this.#renewSoon(keys.recordings);
        break;
      case "output":
        if (event.isDeleted) {
          this.client.setQueryData<Jobs>(
            keys.jobs,
            (jobs) => jobs && withoutOutput(jobs, event.id),
          );
        }
        void readAnew(this.client, keys.output(event.id));
        this.#renewSoon(keys.recordings);
        break;
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #applyJob(job: Job): void {
    const before = jobsIn(this.client);
    keepJob(this.client, job);
    const known = before.find((each) => each.job_id === job.job_id);
    if (known?.state === job.state) return;
    this.#renewSoon(keys.recordings); // they show their newest job
    if (job.state === "complete") this.#renewSoon(keys.profiles); // they say how long jobs take
    // Those that wait moved up, which nothing else tells.
    if (hasEnded(job) && before.some((each) => each.state === "queued")) {
      this.#renewSoon(keys.jobs);
    }
  }

  #renewSoon(queryKey: readonly string[]): void {
    const name = queryKey.join();
    if (this.#timers.has(name)) return;
    const later = () => this.#timers.set(name, setTimeout(renew, SOON_MS));
    const renew = () => {
      // What is under way may bring what was; given up, it would never end where calls take long.
      if (this.client.isFetching({ queryKey }) > 0) return later();
      this.#timers.delete(name);
      void this.client.invalidateQueries({ queryKey });
    };
    later();
  }
}
