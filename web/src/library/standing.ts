/** How a recording stands: what can be done with it now, and what is being done. */

import type { Job, OutputSummary, Recording } from "../api/client";

export type Standing =
  | { readonly kind: "ready"; readonly problem: string | null }
  | { readonly kind: "working"; readonly words: string; readonly progress: number | null }
  | { readonly kind: "failed"; readonly words: string; readonly job: Job }
  | { readonly kind: "uploaded"; readonly words: string };

/** How a recording stands by its outputs and its newest job. */
export function standingOf({ outputs, newest_job: job, is_stored }: Recording): Standing {
  if (job && isOpen(job)) return working(job);
  const problem = job?.state === "error" ? (job.error ?? "It could not be separated.") : null;
  if (outputs.length > 0) return { kind: "ready", problem };
  if (job && problem !== null) return { kind: "failed", words: problem, job };
  if (!is_stored) return { kind: "uploaded", words: "Nothing of it is here any more" };
  if (job?.state === "cancelled") return { kind: "uploaded", words: "Cancelled" };
  return { kind: "uploaded", words: "Not separated yet" };
}

/** What an output was made with, and its stems: `band: vocals, bass`. */
export function outputWords({ profile_name, stems }: OutputSummary): string {
  return `${profile_name}: ${stems.join(", ")}`;
}

/** Whether somebody works on it, or will. */
export function isOpen(job: Job): boolean {
  return job.state === "queued" || job.state === "waking" || job.state === "processing";
}

function working(job: Job): Standing {
  if (job.state === "processing") {
    const percent = Math.floor(100 * job.progress);
    return { kind: "working", words: `Being separated, ${percent} %`, progress: job.progress };
  }
  const waits = job.held === null ? "Waiting in the queue" : "Held";
  const words = job.state === "waking" ? "Waking the worker" : waits;
  return { kind: "working", words, progress: null };
}
