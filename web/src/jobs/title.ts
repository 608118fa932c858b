/** What the title bar says while jobs are under way. */

import { useEffect } from "react";
import { isRunning, type Jobs } from "../api/job-cache";
import { percent } from "./steps";

const NAME = "Stemset";

/** `42 % – Stemset`: how far those are that run, together. */
export function pageTitle(jobs: Jobs): string {
  const running = jobs.filter(isRunning);
  if (running.length > 0) {
    const done = running.reduce((sum, job) => sum + job.progress, 0) / running.length;
    return `${percent(done)} % – ${NAME}`;
  }
  return jobs.some((job) => job.state === "queued") ? `Waiting – ${NAME}` : NAME;
}

/** Say it in the title bar, as long as the view is shown that does. */
export function usePageTitle(jobs: Jobs): void {
  const title = pageTitle(jobs);
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(
    () => () => {
      document.title = NAME;
    },
    [],
  );
}
