/** What can be done with a recording from its row. */

import type { Job, OutputSummary, Recording } from "../api/client";

export interface Actions {
  readonly rename: (recording: Recording) => void;
  readonly separate: (recording: Recording) => void;
  readonly retry: (job: Job) => void;
  readonly copyLink: (output: OutputSummary) => void;
  readonly remove: (recording: Recording) => void;
}
