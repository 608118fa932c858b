import { expect, test } from "vitest";
import type { Profile } from "../api/client";
import { costOf, formatOf, listed, placeOf, spentOf } from "./profile-words";

const profile: Profile = {
  name: "band",
  strategy: "spleeter-2stems",
  stems: ["vocals", "accompaniment"],
  remote: false,
  output: { format: "opus", bitrate: null, depth: null },
  realtime_factor: null,
  waking_s: null,
  price: null,
  spent: null,
  monthly_cap: null,
};
const price = {
  machine: "l4",
  hour: 0.9,
  currency: "USD",
  idle_s: 300,
  source: "the platform's list",
  as_of: "2026-02",
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

test("says what an hour costs with what idles, where there is a price", () => {
  const priced = { ...profile, remote: true, price };
  expect(costOf(priced)).toBe("How long that takes and costs is known after the first job.");
  expect(costOf({ ...priced, realtime_factor: 0.05 })).toBe(
    "An hour of audio takes about 3 min and costs about 0.045 USD, " +
      "and up to 0.075 USD for idling afterwards.",
  );
  const awake = { ...price, idle_s: 0 };
  expect(costOf({ ...priced, price: awake, realtime_factor: 2 })).toMatch(/about 1.80 USD\.$/);
});

test("says what was spent of what may be", () => {
  expect(spentOf(profile)).toBeNull();
  expect(spentOf({ ...profile, price, spent: 0 })).toBe("This month it cost 0.00 USD.");
  expect(spentOf({ ...profile, price, spent: 12.345, monthly_cap: 20 })).toBe(
    "This month it cost 12.35 USD of 20.00 USD.",
  );
});
