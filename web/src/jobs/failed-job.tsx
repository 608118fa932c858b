/** A job that failed: why, and what to do. */

import { memo } from "react";
import type { Job } from "../api/client";
import { Button } from "../ui/button";
import { useJobActions } from "./actions";
import { adviceOn } from "./advice";
import { amountWords, partWords } from "./cost-words";
import { dismiss } from "./dismissed";

interface Props {
  job: Job;
  /** Called when the job has left the list by the person's own doing. */
  onGone: () => void;
}

export const FailedJob = memo(
  ({ job, onGone }: Props) => {
    const { retry, isBusy } = useJobActions(onGone);
    const advice = adviceOn(job.error_code);
    return (
      <li className="job" data-state={job.state}>
        <h3 className="job-name">
          <span className="job-failed">Failed:</span> {job.filename}{" "}
          <span className="quiet job-profile">{job.profile_name}</span>
        </h3>
        <p>
          {advice.cause} {advice.next}
        </p>
        {job.error && (
          <p className="quiet job-detail">
            {job.error} <code>[{job.error_code}]</code>
          </p>
        )}
        {job.cost && (
          <p className="quiet">
            It cost {amountWords(job.cost)}: {partWords(job.cost)}.
          </p>
        )}
        <div className="job-actions">
          {job.can_retry && (
            <Button
              kind={advice.isWorthRetrying ? "main" : "plain"}
              icon="retry"
              label="Try again"
              disabled={isBusy}
              onClick={() => void retry(job)}
            >
              <span className="visually-hidden">{job.filename}</span>
            </Button>
          )}
          <Button
            kind="bare"
            label="Dismiss"
            onClick={() => {
              dismiss([job.job_id]);
              onGone();
            }}
          >
            <span className="visually-hidden">{job.filename}</span>
          </Button>
        </div>
      </li>
    );
  },
  (before, after) => before.job === after.job,
);
