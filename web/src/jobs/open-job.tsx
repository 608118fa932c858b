/** A job that waits or runs. */

import { memo, useRef, useState } from "react";
import type { Job } from "../api/client";
import { isRunning } from "../api/job-cache";
import { useProfiles } from "../api/queries";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { wait } from "../ui/format";
import { useJobActions } from "./actions";
import { amountWords } from "./cost-words";
import { doing, isPaced, percent, type Step, type StepState, stepsOf } from "./steps";
import { type Estimate, estimate, leftWords } from "./time-left";

interface Props {
  job: Job;
  /** Called when the job has left the list by the person's own doing. */
  onGone: () => void;
}

export const OpenJob = memo(
  ({ job, onGone }: Props) => {
    const left = useTimeLeft(job);
    const waking = useWakingWords(job);
    const isWorking = job.state === "processing";
    const spent = job.cost && `${amountWords(job.cost)} so far`;
    const facts = [doing(job), waking, isWorking && `${percent(job.progress)} %`, left, spent];
    return (
      <li className="job" data-state={job.state}>
        <div className="job-top">
          <h3 className="job-name">
            {job.filename} <span className="quiet job-profile">{job.profile_name}</span>
          </h3>
          <CancelButton job={job} onGone={onGone} />
        </div>
        {isRunning(job) && (
          <progress aria-label={`Progress of ${job.filename}`} max={1} value={job.progress} />
        )}
        <p className="numeric">{facts.filter(Boolean).join(" · ")}</p>
        {job.held !== null && <p className="quiet">{job.held}</p>}
        {isRunning(job) && <Steps name={job.filename} steps={stepsOf(job)} />}
      </li>
    );
  },
  (before, after) => before.job === after.job,
);

const MARKS: Readonly<Record<StepState, string>> = { done: "✓", now: "●", later: "○" };

function Steps({ name, steps }: { name: string; steps: Step[] }) {
  return (
    <ol className="job-steps" aria-label={`Steps of ${name}`}>
      {steps.map((step) => (
        <li
          key={step.name}
          data-state={step.state}
          aria-current={step.state === "now" ? "step" : undefined}
        >
          <span aria-hidden="true">{MARKS[step.state]} </span>
          {step.name}
          {step.state === "done" && <span className="visually-hidden"> (done)</span>}
        </li>
      ))}
    </ol>
  );
}

/** How long waking the worker takes, if that is what the job waits for, and if it is known. */
function useWakingWords(job: Job): string | null {
  const { data: profiles } = useProfiles();
  const usual = profiles?.find((each) => each.name === job.profile_name)?.waking_s ?? null;
  return job.state === "waking" && usual !== null ? `that takes ${wait(usual)}` : null;
}

/** The time left in words, smoothed over what the service says of it; null while it is not known. */
function useTimeLeft(job: Job): string | null {
  const known = useRef<{ job: Job; estimate: Estimate } | null>(null);
  if (job.eta_s === null || !isPaced(job)) return null;
  const nowMs = Date.now();
  if (known.current?.job !== job) {
    known.current = { job, estimate: estimate(known.current?.estimate ?? null, job.eta_s, nowMs) };
  }
  return leftWords(known.current.estimate, nowMs);
}

/** Work that took less is done again without asking. */
const MUCH_WORK_MS = 60_000;

function CancelButton({ job, onGone }: Props) {
  const { cancel, isBusy } = useJobActions(onGone);
  const [isAsking, setIsAsking] = useState(false);
  const workedMs = job.started_at === null ? 0 : Date.now() - Date.parse(job.started_at);
  const isMuch = job.state === "processing" && workedMs > MUCH_WORK_MS;
  const go = () => {
    setIsAsking(false);
    void cancel(job);
  };
  return (
    <>
      <Button
        kind="bare"
        label="Cancel"
        disabled={isBusy}
        onClick={isMuch ? () => setIsAsking(true) : go}
      >
        <span className="visually-hidden">{job.filename}</span>
      </Button>
      {isAsking && (
        <Dialog title={`Cancel ${job.filename}?`} onClose={() => setIsAsking(false)}>
          <p>
            It is {percent(job.progress)} % done. That work would be lost; the recording itself
            stays.
          </p>
          <div className="dialog-actions">
            <Button label="Let it go on" onClick={() => setIsAsking(false)} />
            <Button kind="bad" label="Cancel the job" onClick={go} />
          </div>
        </Dialog>
      )}
    </>
  );
}
