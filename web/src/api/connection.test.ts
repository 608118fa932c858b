import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ConnectionState } from "./connection";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("a stream that is back within moments is not worth a word", () => {
  const state = new ConnectionState();
  const heard: string[] = [];
  state.subscribe(() => heard.push(state.current()));
  state.noteStream(true);
  state.noteStream(false);
  vi.advanceTimersByTime(2900);
  state.noteStream(true);
  vi.advanceTimersByTime(60_000);
  expect(heard).toEqual([]);
});

test("without a stream it is polling, and lost once calls are not answered either", () => {
  const state = new ConnectionState();
  const heard: string[] = [];
  state.subscribe(() => heard.push(state.current()));
  state.noteStream(false);
  vi.advanceTimersByTime(3000);
  state.noteAnswer(false);
  state.noteAnswer(true);
  state.noteAnswer(false);
  state.noteStream(true);
  expect(heard).toEqual(["polling", "lost", "polling", "lost", "live"]);
});

test("a stream that keeps failing gets its grace once", () => {
  const state = new ConnectionState();
  state.noteStream(false);
  vi.advanceTimersByTime(3000);
  state.noteStream(false);
  expect(state.current()).toBe("polling");
});
