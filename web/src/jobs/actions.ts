/** Cancelling and retrying, with what is said about it. */

import type { Job } from "../api/client";
import { useCancelJob, useRetryJob } from "../api/jobs";
import { toast } from "../ui/toasts";

/**
 * @param onGone Called when a job has left the list that it was shown in.
 */
export function useJobActions(onGone: () => void) {
  const cancelling = useCancelJob();
  const retrying = useRetryJob();
  const retry = async (job: Job) => {
    try {
      await retrying.mutateAsync(job);
      onGone();
    } catch (error) {
      complain(error);
    }
  };
  const cancel = async (job: Job) => {
    try {
      const cancelled = await cancelling.mutateAsync(job);
      onGone();
      if (!cancelled.can_retry) return;
      toast(`${job.filename} was cancelled.`, {
        action: { label: "Start again", run: () => void retry(cancelled) },
      });
    } catch (error) {
      complain(error);
    }
  };
  return { cancel, retry, isBusy: cancelling.isPending || retrying.isPending };
}

function complain(error: unknown): void {
  toast(error instanceof Error ? error.message : String(error), { kind: "bad" });
}
