import { expect, test } from "vitest";
import { checksum, findFrames, parseFlac, parseFrameHead, streamOf } from "./flac";

const BLOCK = 4096;

function block(kind: number, content: Uint8Array, isLast = false): number[] {
  const { length } = content;
  return [kind | (isLast ? 0x80 : 0), length >> 16, (length >> 8) & 255, length & 255, ...content];
}

function streamInfo(frames: number): Uint8Array {
  const info = new Uint8Array(34).fill(9);
  const view = new DataView(info.buffer);
  view.setUint16(0, BLOCK);
  view.setUint16(2, BLOCK);
  view.setUint32(3, 12);
  view.setUint32(10, (48_000 << 12) | (1 << 9) | (23 << 4) | Math.floor(frames / 2 ** 32));
  view.setUint32(14, frames % 2 ** 32);
  return info;
}

function points(...pairs: [bigint, bigint][]): Uint8Array {
  const table = new DataView(new ArrayBuffer(18 * pairs.length));
  pairs.forEach(([frame, offset], n) => {
    table.setBigUint64(18 * n, frame);
    table.setBigUint64(18 * n + 8, offset);
  });
  return new Uint8Array(table.buffer);
}

/** A FLAC frame's head of block size 4096 and a number below 2048, then some bytes. */
function frame(number: number, content: readonly number[]): number[] {
  const coded = number < 128 ? [number] : [0xc0 | (number >> 6), 0x80 | (number & 63)];
  const head = [0xff, 0xf8, 0xca, 0x1c, ...coded];
  return [...head, checksum(Uint8Array.from(head)), ...content];
}

const file = Uint8Array.from([
  ...new TextEncoder().encode("fLaC"),
  ...block(0, streamInfo(2 ** 33 + 5)),
  ...block(3, points([0n, 0n], [241_664n, 700_000n], [0xffff_ffff_ffff_ffffn, 0n])),
  ...block(1, new Uint8Array(100), true),
]);

test("the head tells rate, channels, length and seek points", () => {
  expect(parseFlac(file)).toMatchObject({
    rateHz: 48_000,
    channels: 2,
    frames: 2 ** 33 + 5,
    blockFrames: BLOCK,
    minFrameBytes: 12,
    audioStart: file.length,
    points: [
      [0, 0],
      [241_664, 700_000],
    ],
  });
});

test("a head that is not all there tells how many bytes it needs", () => {
  expect(parseFlac(file.subarray(0, 60))).toBe(4 + 38 + 4 + 54 + 4);
});

test("what is not FLAC is refused", () => {
  expect(() => parseFlac(new Uint8Array(100))).toThrow("not a FLAC");
});

test("the checksum is FLAC's", () => {
  expect(checksum(new TextEncoder().encode("123456789"))).toBe(0xf4);
});

test("frames are told from bytes that only look like them", () => {
  const header = parseFlac(file);
  if (typeof header === "number") throw new Error("it is all there");
  const misleading = frame(9, []); // a head of its own, but of another number
  const bytes = Uint8Array.from([
    ...frame(126, [0xff, 0xf8, 0xca, 0x1c, 0, 0, 0, 0]),
    ...frame(127, [...misleading, 0xff, 0xff, 1, 2, 3]),
    ...frame(128, [1, 2, 3, 4, 5, 6, 7, 8]),
  ]);

  expect(findFrames(bytes, header).map(({ frame: first }) => first / BLOCK)).toEqual([
    126, 127, 128,
  ]);
});

test("a head with a wrong checksum is none", () => {
  const bytes = Uint8Array.from(frame(3, []));
  expect(parseFrameHead(bytes, 0, { blockFrames: BLOCK })).toEqual({
    frame: 3 * BLOCK,
    frames: BLOCK,
  });

  bytes[5] = 0;
  expect(parseFrameHead(bytes, 0, { blockFrames: BLOCK })).toBeNull();
});

test("a stream of some frames has their length and no checksum of the whole", () => {
  const header = parseFlac(file);
  if (typeof header === "number") throw new Error("it is all there");

  const stream = new Uint8Array(streamOf(header, 70_000, [Uint8Array.of(1, 2), Uint8Array.of(3)]));

  const again = parseFlac(stream);
  expect(again).toMatchObject({ frames: 70_000, audioStart: 42 });
  expect([...stream.subarray(26, 42)]).toEqual(new Array(16).fill(0));
  expect([...stream.subarray(42)]).toEqual([1, 2, 3]);
});
