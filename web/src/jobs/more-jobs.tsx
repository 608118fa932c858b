import { type ReactNode, useState } from "react";
import type { Job } from "../api/client";
import type { Jobs } from "../api/job-cache";

interface Props {
  words: (count: number) => string;
  jobs: Jobs;
  row: (job: Job) => ReactNode;
}

/** Jobs beyond the first few: their number, and on demand themselves. */
export function MoreJobs({ words, jobs, row }: Props) {
  const [isOpen, setIsOpen] = useState(false);
  if (jobs.length === 0) return null;
  return (
    <details className="more-jobs" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>{words(jobs.length)}</summary>
      {isOpen && <ul className="job-list">{jobs.map(row)}</ul>}
    </details>
  );
}
