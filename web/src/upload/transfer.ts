/**
 * One file from its choice to its job: read, begun, sent in parts, completed, given to a job.
 *
 * It can be broken off at any moment and begun again: the service knows what it has.
 */

import { ApiError, type Upload } from "../api/client";
import { type Finished, finish } from "./finish";
import { hashOf, isReadable, markOf } from "./mark";
import { persistently } from "./pauses";
import { Sending } from "./sending";
import { type Announced, abort, begin } from "./service";
import type { Watch } from "./watch";

/** Larger files are announced before they are read, which takes time: they may be refused. */
const ASKED_FIRST_BYTES = 256e6;
/** The upload is not as this page believes: another page ended it, or it expired. */
const MOVED_ON = new Set(["upload_not_found", "upload_incomplete", "upload_complete"]);
const BEGINNINGS = 3;

/** Send a file and have it worked on. Throws `ApiError`, or the signal's reason. */
export async function transfer(file: File, profile: string, watch: Watch): Promise<Finished> {
  watch.onStage("reading");
  const mark = await readable(file, markOf(file));
  const unread = { file, profile, mark, sha256: null };
  const asked = file.size > ASKED_FIRST_BYTES ? await begun(unread, watch) : null;
  const sha256 = await readable(file, hashOf(file, watch.signal, watch.onBytes));
  const announced = { ...unread, sha256 };
  let upload = await begun(announced, watch);
  if (asked && asked.upload_id !== upload.upload_id) await abort(asked.upload_id);
  for (let beginnings = 1; ; beginnings += 1) {
    try {
      return await sent(file, upload, watch);
    } catch (error) {
      const hasMovedOn = error instanceof ApiError && MOVED_ON.has(error.code);
      if (!hasMovedOn || beginnings >= BEGINNINGS) throw error;
      upload = await begun(announced, watch);
    }
  }
}

async function sent(file: File, upload: Upload, watch: Watch): Promise<Finished> {
  if (upload.state === "complete") {
    watch.onStage("checking");
    return { ...(await finish(upload, async () => upload, watch)), wasHere: true };
  }
  watch.onStage("uploading");
  const sending = new Sending(file, upload, watch);
  await sending.run();
  watch.onStage("checking");
  return finish(upload, () => sending.complete(), watch);
}

async function begun(announced: Announced, watch: Watch): Promise<Upload> {
  const upload = await persistently(() => begin(announced), watch.signal, watch.onHeld);
  watch.onBegun(upload.upload_id);
  return upload;
}

async function readable<Result>(file: File, reading: Promise<Result>): Promise<Result> {
  try {
    return await reading;
  } catch (error) {
    if (await isReadable(file)) throw error;
    throw new ApiError("file_unreadable", "The browser cannot read the file any more.", false, 0);
  }
}
