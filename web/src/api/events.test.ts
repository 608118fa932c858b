import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CacheKeeper } from "./events";
import { job } from "./job.fixture";
import type { Jobs } from "./job-cache";
import { pollEveryMs } from "./jobs";
import { keys } from "./queries";

let client: QueryClient;
let keeper: CacheKeeper;
const kept = () => client.getQueryData<Jobs>(keys.jobs);
const isStale = (key: readonly string[]) => client.getQueryState(key)?.isInvalidated;

beforeEach(() => {
  vi.useFakeTimers();
  client = new QueryClient();
  keeper = new CacheKeeper(client);
  client.setQueryData<Jobs>(keys.jobs, [job({ state: "processing" })]);
  client.setQueryData(keys.recordings, []);
  client.setQueryData(keys.output("x"), {});
});
afterEach(() => {
  keeper.close();
  vi.useRealTimers();
});

test("a job that got further is changed in its place, and nothing is read again", () => {
  keeper.apply({ kind: "job", job: job({ state: "processing", progress: 0.5 }) });
  vi.advanceTimersByTime(5000);
  expect(kept()?.map((each) => each.progress)).toEqual([0.5]);
  expect(isStale(keys.jobs)).toBe(false);
  expect(isStale(keys.recordings)).toBe(false);
});

test("recordings are read again once for a flock of changes", () => {
  const invalidated = vi.spyOn(client, "invalidateQueries");
  for (const id of ["a", "b", "c"]) keeper.apply({ kind: "recording", id, isDeleted: false });
  keeper.apply({ kind: "job", job: job({ state: "error" }) });
  expect(invalidated).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1000);
  expect(invalidated.mock.calls.map(([query]) => query?.queryKey)).toEqual([keys.recordings]);
  expect(isStale(keys.recordings)).toBe(true);
});

test("changes while recordings are read have them read once more, and give no read up", async () => {
  let begun = 0;
  const takeLong = ({ signal }: { signal: AbortSignal }) =>
    new Promise<string[]>((resolve, reject) => {
      begun += 1;
      const read = [`as of read ${begun}`];
      signal.onabort = () => reject(signal.reason);
      setTimeout(() => resolve(read), 2500);
    });
  client.removeQueries({ queryKey: keys.recordings });
  const observer = new QueryObserver(client, { queryKey: keys.recordings, queryFn: takeLong });
  const stop = observer.subscribe(() => {});
  for (let seconds = 0; seconds < 4; seconds += 1) {
    keeper.apply({ kind: "recording", id: "a", isDeleted: false });
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(client.getQueryData(keys.recordings)).toEqual(["as of read 1"]);
  await vi.advanceTimersByTimeAsync(4000);
  expect(client.getQueryData(keys.recordings)).toEqual(["as of read 2"]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(begun).toBe(3); // the last change came while the second was under way
  stop();
});

test("when a job ends while others wait, their places are asked for", () => {
  keeper.apply({ kind: "job", job: job({ job_id: "next" }) });
  vi.advanceTimersByTime(1000);
  expect(isStale(keys.jobs)).toBe(false);
  keeper.apply({ kind: "job", job: job({ state: "complete" }) });
  vi.advanceTimersByTime(1000);
  expect(isStale(keys.jobs)).toBe(true);
});

test("a job that is complete makes stale how long jobs take", () => {
  client.setQueryData(keys.profiles, []);
  keeper.apply({ kind: "job", job: job({ state: "complete" }) });
  vi.advanceTimersByTime(1000);
  expect(isStale(keys.profiles)).toBe(true);
});

test("hello and reset make everything stale at once", async () => {
  for (const kind of ["hello", "reset"] as const) {
    client.setQueryData<Jobs>(keys.jobs, []);
    client.setQueryData(keys.recordings, []);
    client.setQueryData(keys.output("x"), {});
    keeper.apply({ kind });
    await vi.advanceTimersByTimeAsync(0);
    expect([keys.jobs, keys.recordings, keys.output("x")].map(isStale)).toEqual([true, true, true]);
  }
});

test("an output that is deleted is stale, and no job leads to it any more", async () => {
  client.setQueryData<Jobs>(keys.jobs, [job({ state: "complete", output_id: "x" })]);
  keeper.apply({ kind: "output", id: "x", isDeleted: true });
  await vi.advanceTimersByTimeAsync(0);
  expect(kept()?.map((each) => each.output_id)).toEqual([null]);
  expect(isStale(keys.output("x"))).toBe(true);
});

test("jobs are asked for only where no events come, and more often while one runs", () => {
  const running = [job({ state: "processing" })];
  expect(pollEveryMs("live", running)).toBe(false);
  expect(pollEveryMs("polling", running)).toBe(2000);
  expect(pollEveryMs("polling", [job()])).toBe(10_000);
  expect(pollEveryMs("polling", undefined)).toBe(10_000);
  expect(pollEveryMs("lost", running)).toBe(4000);
});
