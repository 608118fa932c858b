import { expect, test } from "vitest";
import type { Profile } from "../api/client";
import { costOf, formatOf, listed, placeOf } from "./profile-words";

const profile: Profile = {
  name: "band",
  strategy: "spleeter-2stems",
  stems: ["vocals", "accompaniment"],
  remote: false,
  output: { format: "opus", bitrate: null, depth: null },
  realtime_factor: null,
  waking_s: null,
};

test("names stems as people do", () => {
  expect(listed(["vocals", "drums", "bass"])).toBe("vocals, drums and bass");
  expect(listed(["vocals"])).toBe("vocals");
});

test("says how stems are written", () => {
  expect(formatOf({ format: "opus", bitrate: 192, depth: null })).toBe("Opus files at 192 kbit/s");
  expect(formatOf({ format: "wav", bitrate: null, depth: "32f" })).toBe(
    "32-bit float WAV files, without loss",
  );
});

test("says where the work is done", () => {
  expect(placeOf(profile)).toMatch(/machine that Stemset runs on/);
  expect(placeOf({ ...profile, remote: true })).toMatch(/worker.*wake up first\.$/);
  expect(placeOf({ ...profile, remote: true, waking_s: 90 })).toMatch(/which takes about 2 min/);
});

test("says what an hour takes, or that nobody knows yet", () => {
  expect(costOf({ ...profile, realtime_factor: 0.05 })).toBe("An hour of audio takes about 3 min.");
  expect(costOf(profile)).toMatch(/known after the first job/);
});
