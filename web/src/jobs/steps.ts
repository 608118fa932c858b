/** The steps of a job, in the words of the page. */

import type { Job } from "../api/client";

export type StepState = "done" | "now" | "later";

export interface Step {
  readonly name: string;
  readonly state: StepState;
}

const STEPS = ["Waiting", "Waking the worker", "Getting ready", "Separating", "Encoding", "Saving"];
const WAKING = 1;
const STEP_OF_PHASE: Readonly<Record<string, number>> = {
  waking: WAKING,
  loading: 2,
  downloading: 2,
  separating: 3,
  encoding: 4,
  uploading: 5,
};
const DOING: Readonly<Record<string, string>> = {
  loading: "Loading the model",
  downloading: "Fetching the recording",
  separating: "Separating the stems",
  encoding: "Encoding the stems",
  uploading: "Saving the stems",
};

/** All steps of an open job; only a worker has to be woken. */
export function stepsOf(job: Job): Step[] {
  const now = stepNow(job);
  return STEPS.map((name, place): Step => {
    return { name, state: place < now ? "done" : place === now ? "now" : "later" };
  }).filter((_, place) => job.remote || place !== WAKING);
}

/** What happens to an open job right now. */
export function doing(job: Job): string {
  if (job.state === "queued") return waitingWords(job);
  if (job.state === "waking") return "Waking the worker";
  return DOING[job.phase ?? ""] ?? "Getting ready";
}

/** Whether the time left may be told: it is the computation's, whose first tenth says little. */
export function isPaced(job: Job): boolean {
  return job.state === "processing" && job.phase === "separating" && job.progress >= 0.1;
}

export function percent(progress: number): number {
  return Math.floor(100 * Math.min(1, Math.max(0, progress)));
}

/** `1st`, `2nd`, `3rd`, `11th`, `22nd`. */
export function ordinal(n: number): string {
  const tens = n % 100;
  const ending = tens > 10 && tens < 14 ? undefined : ["th", "st", "nd", "rd"][n % 10];
  return `${n}${ending ?? "th"}`;
}

function stepNow(job: Job): number {
  if (job.state === "queued") return 0;
  if (job.state === "waking") return WAKING;
  return STEP_OF_PHASE[job.phase ?? ""] ?? 2;
}

function waitingWords(job: Job): string {
  if (job.started_at !== null) return "Stopped half-way; it goes on by itself in a moment";
  if (job.held !== null) return "Held";
  const before = job.queue_position;
  if (before === null) return "Waiting for its turn";
  return before === 0 ? "Next in line" : `${ordinal(before + 1)} in line`;
}
