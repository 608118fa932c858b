import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { adviceOn, KNOWN_CODES } from "./advice";

const ERRORS = join(import.meta.dirname, "../../../src/stemset/errors.py");

/** Branches and leaves of the tree that say why a call is refused, not why a job fails. */
const OF_CALLS = new Set(["ServiceError", "InvalidMix"]);

/** The codes in the drawing at the top of the service's errors, by branch. */
function codesOfJobs(): string[] {
  const errors = readFileSync(ERRORS, "utf-8");
  const codes: string[] = [];
  let branch = "";
  for (const line of errors.slice(0, errors.indexOf("from typing")).split("\n")) {
    const [, isLeaf, name, code] = /^(│? {2,}|│ {3})?[├└]── (\w+) +([a-z_]+)/.exec(line) ?? [];
    if (!name || !code) continue;
    if (!isLeaf) branch = name;
    else if (!OF_CALLS.has(branch) && !OF_CALLS.has(name)) codes.push(code);
  }
  return codes;
}

test("every error that a job can end with has its advice", () => {
  const codes = codesOfJobs();
  expect(codes.length).toBeGreaterThan(55);
  expect(codes).toContain("computing_crashed");
  expect(codes.filter((code) => !KNOWN_CODES.has(code))).toEqual([]);
});

test("there is no advice on a code that the service does not have", () => {
  const codes = new Set(codesOfJobs());
  expect([...KNOWN_CODES].filter((code) => !codes.has(code))).toEqual([]);
});

test("all advice is sentences that say what to do", () => {
  for (const code of KNOWN_CODES) {
    const { cause, next } = adviceOn(code);
    for (const text of [cause, next]) expect(text).toMatch(/^[A-Z].*\.$/);
    expect(cause + next).not.toMatch(/[a-z]_[a-z]/);
  }
});

test("a code of a newer service still has a cause and a next step", () => {
  expect(adviceOn("of_a_newer_version").next).toContain("Try again");
  expect(adviceOn(null).cause).not.toBe("");
});
