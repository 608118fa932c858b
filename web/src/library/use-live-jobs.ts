/** Open jobs as events tell of them: the list itself is not read again for each percent. */

import { useMemo } from "react";
import type { Job } from "../api/client";
import { useKnownJobs } from "../api/jobs";
import { isOpen } from "./standing";

/** The open ones by their id; what came of one that has ended is in the list itself. */
export function useLiveJobs(): ReadonlyMap<string, Job> {
  const jobs = useKnownJobs();
  return useMemo(() => new Map(jobs?.filter(isOpen).map((job) => [job.job_id, job])), [jobs]);
}
