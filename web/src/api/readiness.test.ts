import { expect, test } from "vitest";
import type { Profile, Strategy } from "./client";
import { model } from "./model.fixture";
import { lacking } from "./readiness";

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
