import { expect, test } from "vitest";
import type { Profile, Strategy } from "../api/client";
import { model } from "./model.fixture";
import { lacking, partDone, priceOf, qualityOf, stepOf } from "./model-words";

const profile = { name: "four-stems", strategy: "htdemucs", remote: false } as Profile;
const strategy = { name: "htdemucs", models: [{ name: "htdemucs" }] } as Strategy;

test("a profile lacks the models that its strategy needs and that are not here", () => {
  const needed = model({ name: "htdemucs" });
  const other = model({ name: "other" });
  expect(lacking(profile, strategy, [other, needed])).toEqual([needed]);
  expect(lacking(profile, strategy, [{ ...needed, is_installed: true }])).toEqual([]);
});

test("a model without its libraries is lacking even where its weights are here", () => {
  const found = model({ name: "htdemucs", is_installed: true, missing_libraries: ["torch"] });
  expect(lacking(profile, strategy, [found])).toEqual([found]);
});

test("nothing is lacking where a worker does the work, or while nobody knows", () => {
  const needed = model({ name: "htdemucs" });
  expect(lacking({ ...profile, remote: true }, strategy, [needed])).toEqual([]);
  expect(lacking(profile, undefined, [needed])).toEqual([]);
  expect(lacking(profile, strategy, undefined)).toEqual([]);
});

test("says what a model takes", () => {
  expect(priceOf(model({ size_bytes: 84_023_856 }))).toBe("84 MB, no licence stated");
  expect(priceOf(model({ size_bytes: null, licence: "MIT" }))).toBe(
    "size not published, licence MIT",
  );
});

test("says how good a model is, if that is published", () => {
  const score = { stem: "all four", sdr_db: 9.16, data: "Multisong", source: "MVSep" };
  expect(qualityOf(model({ scores: [score] }))).toBe("9.2 dB SDR for all four (Multisong; MVSep)");
  expect(qualityOf(model({ scores: [] }))).toBeNull();
});

test("says how far an install is", () => {
  const install = {
    phase: "downloading",
    done_bytes: 12e6,
    total_bytes: 84e6,
    error: null,
  } as const;
  expect(stepOf(install)).toBe("Downloading: 12 MB of 84 MB");
  expect(partDone(install)).toBeCloseTo(1 / 7);
  expect(stepOf({ ...install, total_bytes: null })).toBe("Downloading: 12 MB");
  expect(stepOf({ ...install, phase: "verifying", done_bytes: null })).toBe("Verifying…");
  expect(partDone({ ...install, total_bytes: null })).toBeNull();
});
