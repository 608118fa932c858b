/** The uploads of this page, which go on whichever view is open. */

import { ApiError } from "../api/client";
import { offerWork } from "../ui/open-work";
import { stayAwake } from "./awake";
import { finishEarlier, forget, unfinished } from "./finish";
import { persistently } from "./pauses";
import { isSending, type UploadItem, UploadQueue } from "./queue";
import { look } from "./service";

/** An earlier visit's upload that is not there any more, or not whole: the list of open ones says. */
const NOT_OURS = new Set(["upload_not_found", "upload_incomplete"]);

export const uploads = new UploadQueue();

/** Take up what an earlier visit left, and guard what is sent. Call it once. */
export function startUploads(): void {
  goOnWithUnfinished(uploads);
  const sendsAny = () => uploads.items().some(isSending);
  let isGivenUp = false;
  offerWork({
    isOpen: () => uploads.items().some(holdsFile),
    giveUp: () => {
      isGivenUp = true;
      removeEventListener("beforeunload", ask);
    },
  });
  uploads.subscribe(() => {
    const sends = sendsAny();
    stayAwake(sends);
    if (sends && !isGivenUp) addEventListener("beforeunload", ask);
    else removeEventListener("beforeunload", ask);
  });
}

export function goOnWithUnfinished(queue: UploadQueue): void {
  for (const row of unfinished()) {
    queue.addWork(row, async (watch) => {
      watch.onStage("checking");
      try {
        const asked = () => look(row.uploadId, watch.signal);
        const upload = await persistently(asked, watch.signal, watch.onHeld);
        return await finishEarlier(upload, watch);
      } catch (error) {
        if (!(error instanceof ApiError && NOT_OURS.has(error.code))) throw error;
        forget(row.uploadId);
        return null;
      }
    });
  }
}

/** Whether the page holds a file that is not all at the service, even if nothing is sent now. */
function holdsFile({ stage }: UploadItem): boolean {
  return stage !== "given" && stage !== "failed";
}

/** The browser asks whether to leave, in its own words. */
function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
