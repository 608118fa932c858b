import { expect, test } from "vitest";
import { job } from "./job.fixture";
import { Arrivals, statesDiffer, withJob, withoutOutput } from "./job-cache";

const at = (minute: number) => `2026-11-24T10:0${minute}:00Z`;
const one = job({ job_id: "1", created_at: at(1) });
const two = job({ job_id: "2", created_at: at(2) });

test("a job takes its own place, a new one that of its time", () => {
  const further = { ...one, state: "processing", progress: 0.5 } as const;
  expect(withJob([two, one], further)).toEqual([two, further]);
  const three = job({ job_id: "3", created_at: at(3) });
  expect(withJob([two, one], three)).toEqual([three, two, one]);
  expect(withJob([three, one], two)).toEqual([three, two, one]);
});

test("a job that has ended is not opened by what comes late", () => {
  const complete = { ...one, state: "complete", progress: 1 } as const;
  const late = { ...one, state: "processing", progress: 0.9 } as const;
  expect(withJob([complete], late)).toEqual([complete]);
  expect(withJob([late], complete)).toEqual([complete]);
});

test("a job that failed half-way may begin again", () => {
  const running = { ...one, state: "processing", progress: 0.5 } as const;
  const again = { ...running, state: "queued" } as const;
  expect(withJob([running], again)).toEqual([again]);
});

test("an output that was deleted is led to no more", () => {
  const jobs = [job({ job_id: "a", output_id: "x" }), job({ job_id: "b", output_id: "y" })];
  expect(withoutOutput(jobs, "x").map((each) => each.output_id)).toEqual([null, "y"]);
  expect(withoutOutput(jobs, "z")).toBe(jobs);
});

test("only other states and new jobs are differences", () => {
  expect(statesDiffer([one], [{ ...one, progress: 0.5 }])).toBe(false);
  expect(statesDiffer([one], [{ ...one, state: "waking" }])).toBe(true);
  expect(statesDiffer([one], [two, one])).toBe(true);
});

test("what arrived after a mark is kept, each job as it was told last", () => {
  const arrivals = new Arrivals();
  arrivals.note(one);
  const mark = arrivals.mark();
  expect(arrivals.since(mark)).toEqual([]);
  arrivals.note(two);
  const further = { ...one, progress: 0.5 };
  arrivals.note(one);
  arrivals.note(further);
  expect(arrivals.since(mark)).toEqual([two, further]);
});

test("arrivals do not grow without end, and lose the oldest", () => {
  const arrivals = new Arrivals();
  const mark = arrivals.mark();
  for (let n = 0; n < 1500; n += 1) arrivals.note(job({ job_id: `${n}` }));
  const kept = arrivals.since(mark);
  expect(kept.length).toBe(1000);
  expect(kept.at(-1)?.job_id).toBe("1499");
});
