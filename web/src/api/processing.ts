/** Having a recording separated. */

import { answered, api } from "./client";

/** Ask for a job; asked again, it is the same one, and `created` says that it stood. */
export function processRecording(recordingId: string, profile: string) {
  return answered(
    api.POST("/api/recordings/{recording_id}/process", {
      params: { path: { recording_id: recordingId } },
      body: { profile_name: profile },
    }),
  );
}
