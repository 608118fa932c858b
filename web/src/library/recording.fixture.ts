/** Recordings for tests. */

import type { Job, OutputSummary, Recording } from "../api/client";

export function recording(changes: Partial<Recording> = {}): Recording {
  return {
    recording_id: "a".repeat(64),
    name: "Take 1",
    filename: "take 1.wav",
    bytes: 1000,
    duration_s: 243,
    rate_hz: 48_000,
    channels: 2,
    is_stored: true,
    created_at: "2026-11-24T18:00:00Z",
    outputs: [],
    newest_job: null,
    ...changes,
  };
}

export function output(changes: Partial<OutputSummary> = {}): OutputSummary {
  return {
    output_id: "o1",
    profile_name: "band",
    output_name: "take-1_aaaaaaaa",
    recording_id: "a".repeat(64),
    recording_name: "Take 1",
    job_id: "j1",
    stems: ["vocals", "accompaniment"],
    format: "opus",
    bytes: 600_000,
    completed_at: "2026-11-24T18:01:00Z",
    ...changes,
  };
}

export function job(changes: Partial<Job> = {}): Job {
  return {
    job_id: "j1",
    status: "processing",
    state: "processing",
    stems: null,
    error: null,
    error_code: null,
    progress: 0.429,
    phase: "separating",
    eta_s: null,
    queue_position: null,
    output_id: null,
    held: null,
    cost: null,
    profile_name: "band",
    output_name: "take-1_aaaaaaaa",
    filename: "take 1.wav",
    recording_id: "a".repeat(64),
    strategy_name: "spleeter-2stems",
    remote: false,
    retry_of: null,
    can_retry: false,
    created_at: "2026-11-24T18:00:00Z",
    started_at: null,
    ended_at: null,
    ...changes,
  };
}
