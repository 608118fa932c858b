import { expect, test } from "vitest";
import { checksum, pageAt, pagesFor, pagesOf, parseIndex, withoutPreSkip } from "./opus";

const index = {
  version: 1,
  codec: "opus",
  rate_hz: 48_000,
  channels: 2,
  pre_skip: 312,
  frames: 4 * 48_000 + 11_688,
  header_bytes: 900,
  page_bytes: [10, 20, 30, 40, 5],
  page_samples: [
    [48_000, 4],
    [12_000, 1],
  ],
};

test("pages follow each other in bytes and in samples", () => {
  const pages = pagesOf(parseIndex(JSON.stringify(index)));

  expect([...pages.offsets]).toEqual([900, 910, 930, 960, 1000, 1005]);
  expect([...pages.samples]).toEqual([0, 48_000, 96_000, 144_000, 192_000, 204_000]);
});

test("a window's pages begin 0.6 s before it", () => {
  const { samples } = pagesOf(parseIndex(JSON.stringify(index)));

  expect(pagesFor(samples, 312, 1000)).toEqual([0, 1]);
  expect(pagesFor(samples, 96_000 + 28_799, 144_000)).toEqual([1, 3]);
  expect(pagesFor(samples, 96_000 + 28_800, 144_001)).toEqual([2, 4]);
  expect(pageAt(samples, 999_999)).toBe(4);
});

test("an index of another version is refused", () => {
  expect(() => parseIndex(JSON.stringify({ ...index, version: 2 }))).toThrow("cannot be read");
});

test("the checksum is Ogg's", () => {
  // CRC-32 without reflection and from 0, of the digits 1 to 9.
  expect(checksum(new TextEncoder().encode("123456789"))).toBe(0x89a1_897f);
});

test("a header without pre-skip is a page with a fitting checksum, and all else stays", () => {
  const head = new TextEncoder().encode("OpusHead\u0001\u0002xx");
  const page = new Uint8Array(28 + 19 + 3);
  page.set(new TextEncoder().encode("OggS"));
  page.set([1, 19], 26);
  page.set(head, 28);
  page.set([7, 7, 7], 28 + 19); // the page behind it

  const changed = withoutPreSkip(page);

  expect([...changed.subarray(38, 40)]).toEqual([0, 0]);
  expect([...changed.subarray(47)]).toEqual([7, 7, 7]);
  const unsigned = changed.slice(0, 47);
  unsigned.fill(0, 22, 26);
  expect(new DataView(changed.buffer).getUint32(22, true)).toBe(checksum(unsigned));
});
