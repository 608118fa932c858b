/** What is under way: what runs, what waits, what failed, and what has just become ready. */

import { type ReactNode, useEffect, useRef, useState } from "react";
import { Link } from "wouter";
import { useConnection } from "../api/connection";
import type { Jobs } from "../api/job-cache";
import { useJobs } from "../api/jobs";
import { Button } from "../ui/button";
import { toast } from "../ui/toasts";
import { announcements } from "./announcements";
import { type Arrangement, arrange } from "./arrangement";
import { amountWords, partWords } from "./cost-words";
import { dismiss, useDismissed } from "./dismissed";
import { FailedJob } from "./failed-job";
import "./jobs.css";
import { MoreJobs } from "./more-jobs";
import { askToNotify, canAsk } from "./notification";
import { OpenJob } from "./open-job";
import { readyJobs, useReady } from "./ready";
import { usePageTitle } from "./title";

const NONE: Jobs = [];
const QUEUED_SHOWN = 3;
const RUNNING_SHOWN = 4;
const FAILED_SHOWN = 3;
const READY_SHOWN = 5;

export function JobsPanel() {
  const { data: jobs = NONE, error } = useJobs();
  const connection = useConnection();
  const dismissed = useDismissed();
  const ready = useReady(jobs);
  usePageTitle(jobs);
  const shown = arrange(jobs, dismissed, Date.now());
  const isEmpty = [shown.running, shown.queued, shown.failed, ready].every(({ length }) => !length);
  if (connection === "lost") {
    return (
      <Panel jobs={jobs} shown={shown} ready={ready}>
        <p className="notice" role="status">
          The service does not answer; trying again.
        </p>
      </Panel>
    );
  }
  if (error && jobs === NONE) {
    return (
      <p className="notice" data-kind="bad" role="alert">
        The jobs cannot be read: {error.message}
      </p>
    );
  }
  if (isEmpty) return null;
  return (
    <Panel jobs={jobs} shown={shown} ready={ready}>
      {connection === "polling" && (
        <p className="quiet job-note" role="status">
          News comes every few seconds only: live updates are cut off.
        </p>
      )}
    </Panel>
  );
}

interface PanelProps {
  jobs: Jobs;
  shown: Arrangement;
  ready: Jobs;
  children: ReactNode;
}

function Panel({ jobs, shown, ready, children }: PanelProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Whatever a button stood in may be gone once it has done its work.
  const onGone = () => heading.current?.focus();
  const { running, queued, failed } = shown;
  const isUnderWay = running.length + queued.length > 0;
  return (
    <section className="card jobs" aria-labelledby="jobs-title">
      <div className="jobs-top">
        <h2 id="jobs-title" ref={heading} tabIndex={-1}>
          Jobs
        </h2>
        {isUnderWay && <AskToNotify />}
      </div>
      {children}
      <Ready jobs={ready} onGone={onGone} />
      {isUnderWay && (
        <ul className="job-list" aria-label="Under way">
          {running.slice(0, RUNNING_SHOWN).map((job) => (
            <OpenJob key={job.job_id} job={job} onGone={onGone} />
          ))}
          {queued.slice(0, QUEUED_SHOWN).map((job) => (
            <OpenJob key={job.job_id} job={job} onGone={onGone} />
          ))}
        </ul>
      )}
      <MoreJobs
        words={(count) => `${count} more under way`}
        jobs={[...running.slice(RUNNING_SHOWN), ...queued.slice(QUEUED_SHOWN)]}
        row={(job) => <OpenJob key={job.job_id} job={job} onGone={onGone} />}
      />
      {failed.length > 0 && (
        <ul className="job-list" aria-label="Failed">
          {failed.slice(0, FAILED_SHOWN).map((job) => (
            <FailedJob key={job.job_id} job={job} onGone={onGone} />
          ))}
        </ul>
      )}
      <MoreJobs
        words={(count) => `${count} more that failed`}
        jobs={failed.slice(FAILED_SHOWN)}
        row={(job) => <FailedJob key={job.job_id} job={job} onGone={onGone} />}
      />
      {failed.length > FAILED_SHOWN && (
        <Button
          label={`Dismiss all ${failed.length} that failed`}
          onClick={() => {
            dismiss(failed.map((job) => job.job_id));
            onGone();
          }}
        />
      )}
      <Spoken jobs={jobs} />
    </section>
  );
}

function Ready({ jobs, onGone }: { jobs: Jobs; onGone: () => void }) {
  if (jobs.length === 0) return null;
  return (
    <ul className="ready-list" aria-label="Ready">
      {jobs.slice(0, READY_SHOWN).map((job) => (
        <li key={job.job_id} className="ready">
          <span className="job-name">
            <strong>Ready:</strong> {job.filename}
            {job.cost && (
              <span className="quiet">
                {" "}
                for {amountWords(job.cost)}: {partWords(job.cost)}
              </span>
            )}
          </span>
          <Link className="button" href={`/play/${job.output_id}`}>
            Play<span className="visually-hidden"> {job.filename}</span>
          </Link>
          <Button
            kind="bare"
            icon="close"
            label={`Dismiss ${job.filename}, which is ready`}
            hidesLabel
            onClick={() => {
              readyJobs.dismiss([job.job_id]);
              onGone();
            }}
          />
        </li>
      ))}
      {jobs.length > READY_SHOWN && (
        <li className="ready quiet">and {jobs.length - READY_SHOWN} more, in the library below</li>
      )}
    </ul>
  );
}

function AskToNotify() {
  const [isAskable, setIsAskable] = useState(canAsk);
  if (!isAskable) return null;
  const ask = async () => {
    const isAllowed = await askToNotify();
    setIsAskable(canAsk());
    toast(
      isAllowed
        ? "You will be told, as long as a page of Stemset is open."
        : "Your browser does not allow it for this page.",
    );
  };
  return (
    <Button kind="bare" icon="bell" label="Tell me when it is ready" onClick={() => void ask()} />
  );
}

/** Says aloud what has changed. */
function Spoken({ jobs }: { jobs: Jobs }) {
  const before = useRef(jobs);
  const [words, setWords] = useState("");
  useEffect(() => {
    const news = announcements(before.current, jobs);
    before.current = jobs;
    if (news.length > 0) setWords(news.join(" "));
  }, [jobs]);
  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {words}
    </p>
  );
}
