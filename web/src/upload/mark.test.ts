import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { hashOf, isReadable, markOf } from "./mark";

const file = (bytes: Uint8Array<ArrayBuffer>, lastModified = 1, name = "take.wav") =>
  new File([bytes], name, { lastModified });

test("knows the same file again by its mark", async () => {
  const bytes = new Uint8Array(randomBytes(3000));
  expect(await markOf(file(bytes))).toBe(await markOf(file(bytes.slice())));
});

test("tells files of one name, length and time apart by their beginnings", async () => {
  const one = file(new Uint8Array(3000).fill(1));
  const other = file(new Uint8Array(3000).fill(2));
  expect(await markOf(one)).not.toBe(await markOf(other));
});

test("tells files of one beginning apart by their time", async () => {
  const bytes = new Uint8Array(3000);
  expect(await markOf(file(bytes, 1))).not.toBe(await markOf(file(bytes, 2)));
});

test("keeps to the length that the service takes for a mark", async () => {
  expect((await markOf(file(new Uint8Array(10), Date.now()))).length).toBeLessThan(300);
});

test("hashes a file of several pieces and tells how far it is", async () => {
  const bytes = new Uint8Array(randomBytes(2_500_000));
  const told: number[] = [];
  const hash = await hashOf(file(bytes), new AbortController().signal, (n) => told.push(n));
  expect(hash).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(told).toEqual([1 << 20, 2 << 20, 2_500_000]);
});

test("stops hashing when it is given up", async () => {
  const given = AbortSignal.abort();
  await expect(hashOf(file(new Uint8Array(10)), given, () => {})).rejects.toThrow(/abort/i);
});

test("finds out whether a file can be read", async () => {
  expect(await isReadable(file(new Uint8Array(10)))).toBe(true);
});
