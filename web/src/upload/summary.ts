/** How all files stand, in one sentence that changes only when there is something to say. */

import type { UploadItem } from "./queue";

const STANDS = {
  reading: "being sent",
  uploading: "being sent",
  checking: "being checked",
  waiting: "waiting",
  paused: "paused",
  failed: "not taken",
  given: "given to a job",
} as const;

export function summary(items: readonly UploadItem[]): string {
  const counts = new Map<string, number>();
  for (const { stage, isPaused } of items) {
    const stands = STANDS[isPaused ? "paused" : stage];
    counts.set(stands, (counts.get(stands) ?? 0) + 1);
  }
  const parts = Object.values(STANDS).flatMap((stands, i, all) => {
    const count = counts.get(stands);
    return count && all.indexOf(stands) === i ? [`${count} ${stands}`] : [];
  });
  if (parts.length === 0) return "";
  return `${items.length === 1 ? "1 file" : `${items.length} files`}: ${parts.join(", ")}.`;
}
