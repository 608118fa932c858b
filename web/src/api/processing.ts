/** Having a recording separated. */

import { answered, api, named, outlivesPage } from "./client";

/**
 * Ask for a job; asked again, it is the same one, and `created` says that it stood.
 *
 * @param trace Names the call in the logs of all who have to do with the job.
 */
export function processRecording(recordingId: string, profile: string, trace?: string) {
  return answered(
    api.POST("/api/recordings/{recording_id}/process", {
      params: { path: { recording_id: recordingId } },
      body: { profile_name: profile },
      headers: named(trace),
      ...outlivesPage,
    }),
  );
}
