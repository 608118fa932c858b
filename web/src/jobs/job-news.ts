/** What is done about jobs wherever the person is in the app. */

import { useEffect } from "react";
import { useLocation } from "wouter";
import { useJobs } from "../api/jobs";
import { notifyReady } from "./notification";
import { readyJobs } from "./ready";

/** Note which jobs become ready, and notify of them. Used once, by the page itself. */
export function useJobNews(): void {
  const { data: jobs } = useJobs();
  const [, navigate] = useLocation();
  useEffect(() => {
    if (!jobs) return;
    for (const job of readyJobs.look(jobs)) {
      notifyReady(job, () => navigate(`/play/${job.output_id}`));
    }
  }, [jobs, navigate]);
}
