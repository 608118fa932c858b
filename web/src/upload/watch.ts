/** Who is told how a transfer goes, and gives it up. */

import type { ApiError } from "../api/client";

export type Stage = "reading" | "uploading" | "checking";

export interface Watch {
  readonly signal: AbortSignal;
  onStage(stage: Stage): void;
  onBegun(uploadId: string): void;
  /** Bytes of the whole file that are read, or sent. */
  onBytes(bytes: number): void;
  /** Why it stands still; null once it goes on. */
  onHeld(error: ApiError | null): void;
}
