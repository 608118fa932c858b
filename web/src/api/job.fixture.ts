/** Jobs for tests. */

import type { Job } from "./client";

/** A job that waits, but for what is said. */
export function job(facts: Partial<Job> = {}): Job {
  return {
    job_id: "job",
    status: "queued",
    state: "queued",
    stems: null,
    error: null,
    error_code: null,
    progress: 0,
    phase: null,
    eta_s: null,
    queue_position: null,
    output_id: null,
    held: null,
    cost: null,
    profile_name: "band",
    output_name: "take_1",
    filename: "take 1.wav",
    recording_id: "4b431d53",
    strategy_name: "spleeter-2stems",
    remote: false,
    retry_of: null,
    can_retry: false,
    created_at: "2026-11-24T10:00:00Z",
    started_at: null,
    ended_at: null,
    ...facts,
  };
}
