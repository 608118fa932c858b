/**
 * The service's calls that uploads make.
 *
 * What ends an upload and what makes its job carry the upload's id: it is in the logs of the
 * service, the worker and its computing process.
 */

import { answered, api, named, type Upload } from "../api/client";
import { processRecording } from "../api/processing";

export interface Announced {
  readonly file: File;
  readonly profile: string;
  readonly mark: string;
  /** Null as long as it is not known. */
  readonly sha256: string | null;
}

/** Begin an upload or go on with it; a recording that is there is complete at once. */
export function begin({ file, profile, mark, sha256 }: Announced): Promise<Upload> {
  const body = {
    filename: file.name,
    size_bytes: file.size,
    profile_name: profile,
    mark,
    sha256,
  };
  return answered(api.POST("/api/uploads", { body }));
}

export function look(uploadId: string, signal: AbortSignal): Promise<Upload> {
  return answered(api.GET("/api/uploads/{upload_id}", { params: path(uploadId), signal }));
}

export function listOpen(): Promise<Upload[]> {
  return answered(api.GET("/api/uploads"));
}

/** Where a part is to be put; at a bucket, a fresh link. */
export async function addressOf(
  upload: Upload,
  part: number,
  signal: AbortSignal,
): Promise<string> {
  if (upload.method !== "presigned") return `/api/uploads/${upload.upload_id}/parts/${part}`;
  const call = api.POST("/api/uploads/{upload_id}/links", {
    params: path(upload.upload_id),
    body: { parts: [part] },
    signal,
  });
  const [link] = (await answered(call)).links;
  if (!link) throw new Error("The service gave no link.");
  return link.url;
}

/** End an upload: the service hashes it and looks at it, which takes a while. */
export function complete(uploadId: string, etags: Record<string, string>): Promise<Upload> {
  return answered(
    api.POST("/api/uploads/{upload_id}/complete", {
      params: path(uploadId),
      body: { etags },
      headers: named(uploadId),
    }),
  );
}

export function abort(uploadId: string): Promise<unknown> {
  return answered(api.DELETE("/api/uploads/{upload_id}", { params: path(uploadId) }));
}

/** Have the recording of an upload that is complete worked on. */
export function process({ recording_id, profile_name, upload_id }: Upload) {
  if (recording_id === null)
    throw new Error("The service completed an upload without a recording.");
  return processRecording(recording_id, profile_name, upload_id);
}

function path(uploadId: string) {
  return { path: { upload_id: uploadId } };
}
