/** From the last part to the job; a page that is closed on this way goes on at its next visit. */

import { ApiError, type Upload } from "../api/client";
import { recall, remember } from "../ui/memory";
import { persistently } from "./pauses";
import { complete, process } from "./service";
import type { Watch } from "./watch";

export interface Finished {
  readonly upload: Upload;
  /** Whether the recording was there before, so that nothing was sent. */
  readonly wasHere: boolean;
  /** Whether a new job was made for it; false if the same was asked for before. */
  readonly isNewJob: boolean;
}

/** What is remembered of an upload all of whose parts are sent. */
export interface Unfinished {
  readonly uploadId: string;
  readonly name: string;
  readonly bytes: number;
  readonly profile: string;
}

const KEY = "stemset.upload.unfinished";

/**
 * End an upload and have it worked on.
 *
 * @param end Completes the upload; asked again, it gives the same.
 */
export async function finish(
  upload: Upload,
  end: () => Promise<Upload>,
  watch: Watch,
): Promise<Finished> {
  note(upload);
  try {
    const done = await persistently(end, watch.signal, watch.onHeld);
    const { created } = await persistently(() => process(done), watch.signal, watch.onHeld);
    forget(upload.upload_id);
    return { upload: done, wasHere: false, isNewJob: created };
  } catch (error) {
    if (error instanceof ApiError) forget(upload.upload_id);
    throw error;
  }
}

/** End an upload that an earlier visit of the page left between its last part and its job. */
export function finishEarlier(upload: Upload, watch: Watch): Promise<Finished> {
  return finish(upload, () => complete(upload.upload_id, {}), watch);
}

/** What earlier visits left. */
export function unfinished(): readonly Unfinished[] {
  try {
    const kept: unknown = JSON.parse(recall(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isUnfinished) : [];
  } catch {
    return [];
  }
}

export function forget(uploadId: string): void {
  keep(unfinished().filter((each) => each.uploadId !== uploadId));
}

function note(upload: Upload): void {
  const { upload_id: uploadId, filename: name, size_bytes: bytes, profile_name: profile } = upload;
  const others = unfinished().filter((each) => each.uploadId !== uploadId);
  keep([...others, { uploadId, name, bytes, profile }]);
}

function keep(all: readonly Unfinished[]): void {
  remember(KEY, JSON.stringify(all));
}

function isUnfinished(value: unknown): value is Unfinished {
  return typeof value === "object" && value !== null && "uploadId" in value && "name" in value;
}
