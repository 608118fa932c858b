/** Jobs: the list that is kept, and what a person can do to one. */

import {
  type QueryClient,
  type QueryFunctionContext,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { answered, api, type Job, type JobState } from "./client";
import { type Connection, useConnection } from "./connection";
import { Arrivals, isRunning, type Jobs, newestFirst, statesDiffer, withJob } from "./job-cache";
import { keys, readAnew } from "./queries";

/** What events told; they put jobs in here as well as in the list. */
export const arrivals = new Arrivals();

const NEWEST = 100;
const PAGE = 200;
const MOST_PAGES = 10;
const OPEN: JobState[] = ["queued", "waking", "processing"];
const POLL_RUNNING_MS = 2000;
const POLL_MS = 10_000;
const POLL_LOST_MS = 4000;

/** All open jobs and the newest others; kept by events, or else asked for again and again. */
export function useJobs() {
  const connection = useConnection();
  return useQuery({
    queryKey: keys.jobs,
    queryFn: listJobs,
    refetchInterval: (query) => pollEveryMs(connection, query.state.data),
    refetchIntervalInBackground: true, // the title and notifications go on there
  });
}

/** The same list as far as it is known; asks for nothing by itself. */
export function useKnownJobs(): Jobs | undefined {
  // No `skipToken`: the list could then not be read again for anybody.
  return useQuery({ queryKey: keys.jobs, queryFn: listJobs, enabled: false }).data;
}

/** How often to ask, in ms; false for not at all. */
export function pollEveryMs(connection: Connection, jobs: Jobs | undefined): number | false {
  if (connection === "live") return false;
  if (connection === "lost") return POLL_LOST_MS;
  return jobs?.some(isRunning) ? POLL_RUNNING_MS : POLL_MS;
}

/** End a job. */
export function useCancelJob() {
  return useJobAction((job) =>
    answered(api.POST("/api/jobs/{job_id}/cancel", { params: { path: { job_id: job.job_id } } })),
  );
}

/** Make a new job of one that has ended without stems. */
export function useRetryJob() {
  return useJobAction((job) =>
    answered(api.POST("/api/jobs/{job_id}/retry", { params: { path: { job_id: job.job_id } } })),
  );
}

function useJobAction(act: (job: Job) => Promise<Job>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: (job) => keepJob(client, job),
  });
}

/** Put a job as it is now into the list, and into one that is on its way. */
export function keepJob(client: QueryClient, job: Job): void {
  arrivals.note(job);
  client.setQueryData<Jobs>(keys.jobs, (jobs) => jobs && withJob(jobs, job));
}

async function listJobs({ client, signal }: QueryFunctionContext<typeof keys.jobs>): Promise<Jobs> {
  const mark = arrivals.mark();
  const newest = await readPage({ limit: NEWEST }, signal);
  const found = new Map(newest.jobs.map((job) => [job.job_id, job]));
  if (newest.next_cursor !== null) {
    for (const job of await listOpen(signal)) found.set(job.job_id, job);
  }
  const listed = newestFirst([...found.values()]);
  const jobs = arrivals.since(mark).reduce(withJob, listed);
  const before = client.getQueryData<Jobs>(keys.jobs);
  if (before && statesDiffer(before, jobs)) {
    void readAnew(client, keys.recordings);
  }
  return jobs;
}

async function listOpen(signal: AbortSignal): Promise<Job[]> {
  const jobs: Job[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query: Query = { state: OPEN, limit: PAGE, ...(cursor && { cursor }) };
    const { jobs: more, next_cursor } = await readPage(query, signal);
    jobs.push(...more);
    if (next_cursor === null) break;
    cursor = next_cursor;
  }
  return jobs;
}

interface Query {
  state?: JobState[];
  limit: number;
  cursor?: string;
}

function readPage(query: Query, signal: AbortSignal) {
  return answered(api.GET("/api/jobs", { params: { query }, signal }));
}
