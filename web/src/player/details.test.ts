import { expect, test } from "vitest";
import type { Output } from "../api/client";
import { detailsOf } from "./details";

function output(format: string, metadata: Output["metadata"]): Output {
  return {
    output_id: "1",
    profile_name: "band",
    output_name: "practice",
    recording_id: "2",
    recording_name: "Practice",
    job_id: null,
    stems: [],
    format,
    bytes: 0,
    completed_at: "2026-11-24T18:30:44Z",
    metadata,
    files: [],
    urls_expire_at: "2026-11-25T18:30:44Z",
  };
}

test.each([
  ["wav", { exact: true }, 0, "The stems add up to the recording exactly."],
  ["opus", { exact: true }, 0, "The stems add up to the recording exactly before encoding."],
  ["flac", { exact: true }, -1.5, "The stems add up to the recording at −1.50 dB exactly."],
  [
    "wav",
    { exact: false, error_db: -98.3 },
    0,
    "The stems add up to the recording to within −98 dB.",
  ],
  ["wav", null, 0, null],
])("a sum in %s: %j with a gain of %d", (format, sum, gainDb, said) => {
  expect(detailsOf(output(format, { sum_to_mix: sum, gain_db: gainDb })).sum).toBe(said);
});

test("metadata of somebody else's making may say anything", () => {
  const strange = { recording: 7, strategy: [], warnings: ["clipped", 3], sum_to_mix: "yes" };
  expect(detailsOf(output("wav", strange))).toEqual({
    durationS: null,
    rateHz: null,
    strategy: null,
    warnings: ["clipped"],
    sum: null,
  });
});
