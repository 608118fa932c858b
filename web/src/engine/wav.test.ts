import { expect, test } from "vitest";
import { parseWav, unpack } from "./wav";

function chunk(name: string, content: readonly number[], size = content.length): number[] {
  const head = [...new TextEncoder().encode(name), 0, 0, 0, 0];
  for (let n = 0; n < 4; n += 1) head[4 + n] = (size >>> (8 * n)) & 255;
  return [...head, ...content];
}

function format(tag: number, bits: number, channels = 2): number[] {
  const view = new DataView(new ArrayBuffer(40));
  view.setUint16(0, tag, true);
  view.setUint16(2, channels, true);
  view.setUint32(4, 44_100, true);
  view.setUint16(14, bits, true);
  view.setUint16(24, 1, true);
  return [...new Uint8Array(view.buffer)];
}

function wav(name: string, ...chunks: number[][]): Uint8Array {
  return Uint8Array.from([...chunk(name, [...new TextEncoder().encode("WAVE"), ...chunks.flat()])]);
}

test("the frames are found behind other chunks", () => {
  const file = wav(
    "RIFF",
    chunk("LIST", [1, 2, 3, 0], 3),
    chunk("fmt ", format(1, 24)),
    chunk("data", [], 60),
  );

  expect(parseWav(file, file.length + 60)).toEqual({
    rateHz: 44_100,
    channels: 2,
    bits: 24,
    isFloat: false,
    frames: 10,
    dataStart: file.length,
  });
});

test("RF64 tells its length elsewhere", () => {
  const sizes = new DataView(new ArrayBuffer(28));
  sizes.setBigUint64(8, 6_000_000_000n, true);
  const ds64 = chunk("ds64", [...new Uint8Array(sizes.buffer)]);
  const file = wav("RF64", ds64, chunk("fmt ", format(0xfffe, 32)), chunk("data", [], 0xffff_ffff));

  expect(parseWav(file, 7_000_000_000)?.frames).toBe(750_000_000);
});

test("a head that does not end within the bytes asks for more", () => {
  expect(parseWav(wav("RIFF", chunk("LIST", [], 9000)), 99_999)).toBeNull();
});

test("what is not WAV, or of an unknown kind, is refused", () => {
  expect(() => parseWav(new Uint8Array(44), 44)).toThrow("not a WAV");
  const law = wav("RIFF", chunk("fmt ", format(7, 8)), chunk("data", [], 8));
  expect(() => parseWav(law, 100)).toThrow("cannot be played");
});

test.each([
  [16, false, [0x00, 0x80, 0xff, 0x7f], [-1, 32_767 / 32_768]],
  [24, false, [0, 0, 0x80, 0xff, 0xff, 0x7f], [-1, 1 - 2 ** -23]],
  [32, false, [0, 0, 0, 0x80, 0, 0, 0, 0x40], [-1, 0.5]],
  [32, true, [0, 0, 0x80, 0xbf, 0, 0, 0, 0x3f], [-1, 0.5]],
  [64, true, [0, 0, 0, 0, 0, 0, 0xf0, 0xbf, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f], [-1, 0.5]],
] as const)("%i bits (float: %s) are unpacked", (bits, isFloat, bytes, [left, right]) => {
  const channels = [new Float32Array(1), new Float32Array(1)] as const;
  const header = { bits, isFloat, channels: 2 };

  unpack(Uint8Array.from(bytes), header, (channel) => channels[channel === 0 ? 0 : 1]);

  expect(channels[0][0]).toBe(left);
  expect(channels[1][0]).toBeCloseTo(right, 9);
});
