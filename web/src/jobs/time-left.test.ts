import { expect, test } from "vitest";
import { type Estimate, estimate, leftWords } from "./time-left";

/** What is shown second by second, of times left as the service says them. */
function shown(said: (second: number) => number, seconds: number): string[] {
  let known: Estimate | null = null;
  return Array.from({ length: seconds }, (_, second) => {
    known = estimate(known, said(second), 1000 * second);
    return leftWords(known, 1000 * second);
  });
}

test("the first estimate is a range", () => {
  expect(leftWords(estimate(null, 240, 0), 0)).toBe("3 to 5 min left");
});

test("a steady pace soon gives one figure, which then counts down", () => {
  const words = shown((second) => 300 - second, 290);
  expect(words[60]).toBe("about 4 min left");
  expect(words[240]).toBe("about 1 min left");
  expect(words[285]).toBe("about 20 s left");
});

test("what jumps about changes the words seldom, and stays a range", () => {
  const words = shown((second) => (300 - second) * (second % 2 ? 1.4 : 0.7), 120).slice(30);
  const changes = words.filter((each, place) => place > 0 && each !== words[place - 1]);
  expect(changes.length).toBeLessThan(20);
  expect(words.filter((each) => each.includes(" to ")).length).toBeGreaterThan(60);
});

test("a slower pace is taken in within half a minute", () => {
  const words = shown((second) => (second < 30 ? 120 - second : 600), 75);
  expect(words[29]).toMatch(/2 min/);
  expect(words[74]).toMatch(/^8 to 11 min|9 to 11 min|about 10 min/);
});

test("an estimate from before a sleep counts for nothing", () => {
  const before = estimate(null, 600, 0);
  const after = estimate(before, 60, 3_600_000);
  expect(after.endsAtMs).toBe(3_660_000);
});

test("time that has run out is never negative", () => {
  expect(leftWords(estimate(null, 5, 0), 60_000)).toBe("a few seconds left");
});
