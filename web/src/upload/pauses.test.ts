import { expect, test } from "vitest";
import { ApiError } from "../api/client";
import { noteSomebody } from "../api/nobody";
import { isPassing, Pauses, pause, persistently } from "./pauses";

const refused = (status: number, retryable = false, retryAfterS: number | null = null) =>
  new ApiError("code", "detail", retryable, status, retryAfterS);
const never = () => new AbortController().signal;

test("pauses grow, up to half a minute and its spread", () => {
  const pauses = new Pauses();
  const lengths = Array.from({ length: 12 }, () => pauses.next(refused(503)));
  expect(lengths[0]).toBeLessThan(0.7);
  expect(lengths[3]).toBeGreaterThan(2.9);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(37.5);
  pauses.reset();
  expect(pauses.next(refused(503))).toBeLessThan(0.7);
});

test("waits as long as the service asks for", () => {
  expect(new Pauses().next(refused(503, true, 20))).toBe(20);
});

test.each([408, 503, 507])("status %i passes by itself", (status) =>
  expect(isPassing(refused(status))).toBe(true),
);

test("a service that does not answer may do so later", () => {
  expect(isPassing(new ApiError("unreachable", "detail", true, 0))).toBe(true);
});

test.each([400, 404, 409, 413, 422])("status %i does not pass by itself", (status) =>
  expect(isPassing(refused(status))).toBe(false),
);

test("a failure of the service itself is tried a few times", () => {
  const pauses = new Pauses();
  let tries = 0;
  while (pauses.allows(refused(500, true))) {
    pauses.next(refused(500, true));
    tries += 1;
  }
  expect(tries).toBe(5);
});

test("a file that cannot be read is not tried again, though it has no status", () => {
  const error = new ApiError("file_unreadable", "detail", false, 0);
  expect(new Pauses().allows(error)).toBe(false);
});

test("calls until one succeeds, and tells why it waits", async () => {
  const told: (string | null)[] = [];
  let calls = 0;
  const result = await persistently(
    async () => {
      calls += 1;
      if (calls === 1) throw refused(503);
      return calls;
    },
    never(),
    (error) => told.push(error?.code ?? null),
  );
  expect(result).toBe(2);
  expect(told).toEqual(["code", null]);
});

test("gives an error on that will not pass", async () => {
  const call = () => Promise.reject(refused(422));
  await expect(persistently(call, never(), () => {})).rejects.toMatchObject({ status: 422 });
});

test("a pause ends when the network comes back", async () => {
  const began = performance.now();
  setTimeout(() => dispatchEvent(new Event("online")), 20);
  await pause(30, never());
  expect(performance.now() - began).toBeLessThan(5000);
});

test("a pause ends when somebody has signed in", async () => {
  const began = performance.now();
  setTimeout(noteSomebody, 20);
  await pause(30, never());
  expect(performance.now() - began).toBeLessThan(5000);
});

test("a pause ends when it is given up", async () => {
  const given = new AbortController();
  setTimeout(() => given.abort(), 20);
  await expect(pause(30, given.signal)).rejects.toThrow(/abort/i);
  await expect(pause(30, AbortSignal.abort())).rejects.toThrow(/abort/i);
});
