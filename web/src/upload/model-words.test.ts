import { expect, test } from "vitest";
import { model } from "../api/model.fixture";
import { partDone, priceOf, qualityOf, stepOf } from "./model-words";

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
