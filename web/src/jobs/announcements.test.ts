import { expect, test } from "vitest";
import { job } from "../api/job.fixture";
import { announcements } from "./announcements";

const at = (progress: number, facts: Parameters<typeof job>[0] = {}) =>
  job({ state: "processing", progress, ...facts });

test("progress is said at each tenth and not between", () => {
  expect(announcements([at(0.31)], [at(0.39)])).toEqual([]);
  expect(announcements([at(0.39)], [at(0.4)])).toEqual(["take 1.wav: 40 percent."]);
  expect(announcements([at(0.39)], [at(0.72)])).toEqual(["take 1.wav: 70 percent."]);
});

test("ends are said once, and those of the time before the page not at all", () => {
  const ready = job({ state: "complete", progress: 1 });
  expect(announcements([at(0.9)], [ready])).toEqual(["take 1.wav is ready."]);
  expect(announcements([ready], [ready])).toEqual([]);
  expect(announcements([], [ready])).toEqual([]);
  expect(announcements([at(0.9)], [job({ state: "error" })])).toEqual(["take 1.wav has failed."]);
});

test("of many at once only the ends are said", () => {
  const many = (progress: number) =>
    [1, 2, 3, 4].map((n) => at(progress, { job_id: `${n}`, filename: `${n}.wav` }));
  expect(announcements(many(0.1), many(0.5))).toEqual([]);
  const [first, ...others] = many(0.5);
  const after = [job({ ...first, state: "complete" }), ...others];
  expect(announcements(many(0.5), after)).toEqual(["1.wav is ready."]);
});
