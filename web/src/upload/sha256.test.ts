// @vitest-environment node
import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { Sha256 } from "./sha256";

function hashOf(...pieces: Uint8Array[]): string {
  const hash = new Sha256();
  for (const piece of pieces) hash.update(piece);
  return hash.hex();
}

test("gives the standard's own examples", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(hashOf()).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(hashOf(bytes("abc"))).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

test("gives what another implementation gives for every length around blocks", () => {
  const data = randomBytes(200);
  for (let length = 0; length <= data.length; length += 1) {
    const bytes = data.subarray(0, length);
    expect(hashOf(bytes)).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
});

test("does not depend on how the bytes are divided", () => {
  const data = randomBytes(300_000);
  const pieces: Uint8Array[] = [];
  for (let at = 0, length = 1; at < data.length; at += length, length = (length * 7 + 3) % 5000)
    pieces.push(data.subarray(at, at + length));
  expect(hashOf(...pieces)).toBe(createHash("sha256").update(data).digest("hex"));
});
