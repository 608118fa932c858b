/**
 * Windows of Ogg Opus files, found by the index of their pages.
 *
 * A window is decoded as a stream of its own: the file's header, then pages from 0.6 s before the
 * window on, since a decoder that starts anywhere needs some packets until it gives the same as one
 * that came from the start (the index's module in the Python package tells what was measured).
 *
 * The header says how much a decoder drops at the start, and browsers differ in whether they do
 * that where a stream starts late. So the header that is handed to them says that nothing is to be
 * dropped, and what lies before the window is cut here.
 *
 * Sources: RFC 3533, section 6 (pages, their checksum); RFC 7845, section 5.1 (the header).
 */

import type { Decoder } from "./decoding";
import { PlaybackError } from "./failure";
import type { RangedFile } from "./ranges";
import type { StemReader } from "./reader";

const RATE_HZ = 48_000;
const PREROLL = 0.6 * RATE_HZ;
const PAGE_HEADER_BYTES = 27;
const CHECKSUM_AT = 22;
const PRE_SKIP_AT = 10;

/** What `*.opus.index.json` holds, as far as it is needed. */
export interface OpusIndex {
  readonly channels: number;
  readonly pre_skip: number;
  readonly frames: number;
  readonly header_bytes: number;
  readonly page_bytes: readonly number[];
  readonly page_samples: readonly (readonly [number, number])[];
}

/** Where the pages lie: page `n` has bytes `offsets[n]` to `offsets[n + 1]`, and samples alike. */
export interface Pages {
  readonly offsets: Float64Array;
  readonly samples: Float64Array;
}

/** Reads an index. Throws `PlaybackError`. */
export function parseIndex(text: string): OpusIndex {
  const index: unknown = JSON.parse(text);
  if (!isIndex(index)) throw new PlaybackError("The index of an Opus file cannot be read.");
  return index;
}

function isIndex(value: unknown): value is OpusIndex {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    value.version === 1 &&
    "page_bytes" in value &&
    Array.isArray(value.page_bytes) &&
    "page_samples" in value &&
    Array.isArray(value.page_samples) &&
    ["channels", "pre_skip", "frames", "header_bytes"].every(
      (name) => typeof Reflect.get(value, name) === "number",
    )
  );
}

/** Adds up what the index says of each page. */
export function pagesOf(index: OpusIndex): Pages {
  const count = index.page_bytes.length;
  const offsets = new Float64Array(count + 1);
  const samples = new Float64Array(count + 1);
  offsets[0] = index.header_bytes;
  index.page_bytes.forEach((bytes, page) => {
    offsets[page + 1] = (offsets[page] ?? 0) + bytes;
  });
  let page = 0;
  for (const [length, times] of index.page_samples) {
    for (let n = 0; n < times; n += 1, page += 1) samples[page + 1] = (samples[page] ?? 0) + length;
  }
  return { offsets, samples };
}

/** The last page that starts at or before a sample. */
export function pageAt(samples: Float64Array, sample: number): number {
  let low = 0;
  let high = samples.length - 2;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((samples[middle] ?? 0) <= sample) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The pages that a decoder needs for some samples: the first, and the one behind the last. */
export function pagesFor(
  samples: Float64Array,
  first: number,
  end: number,
): readonly [number, number] {
  const from = pageAt(samples, Math.max(first - PREROLL, 0));
  return [from, Math.max(pageAt(samples, end - 1), from) + 1];
}

/** A copy of an Opus file's header that asks decoders to drop nothing. */
export function withoutPreSkip(header: Uint8Array): Uint8Array {
  const changed = header.slice();
  const segments = changed[PAGE_HEADER_BYTES - 1] ?? 0;
  const content = PAGE_HEADER_BYTES + segments;
  const sizes = changed.subarray(PAGE_HEADER_BYTES, content);
  const page = changed.subarray(
    0,
    sizes.reduce((sum, size) => sum + size, content),
  );
  const view = new DataView(changed.buffer);
  view.setUint16(content + PRE_SKIP_AT, 0, true);
  view.setUint32(CHECKSUM_AT, 0, true);
  view.setUint32(CHECKSUM_AT, checksum(page), true);
  return changed;
}

/** The checksum of an Ogg page: CRC-32 with the polynomial 0x04c11db7, most significant bit first. */
export function checksum(page: Uint8Array): number {
  let sum = 0;
  for (const byte of page) {
    sum ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1)
      sum = sum & 0x8000_0000 ? (sum << 1) ^ 0x04c1_1db7 : sum << 1;
  }
  return sum >>> 0;
}

/** Opens an Opus file. */
export async function openOpus(
  file: RangedFile,
  indexFile: RangedFile,
  decoder: Decoder,
  signal: AbortSignal,
): Promise<StemReader> {
  const text = await indexFile.read(0, indexFile.bytes, signal);
  const index = parseIndex(new TextDecoder().decode(text));
  const header = await file.read(0, index.header_bytes, signal);
  return new OpusReader(file, index, withoutPreSkip(header), decoder);
}

/** Some pages in a row. */
interface Run {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

class OpusReader implements StemReader {
  readonly rateHz = RATE_HZ;
  readonly channels: number;
  readonly frames: number;
  readonly #pages: Pages;
  // The next window begins in the pages of this one.
  #last: Run = { from: 0, to: 0, bytes: new Uint8Array(0) };

  constructor(
    private readonly file: RangedFile,
    private readonly index: OpusIndex,
    private readonly header: Uint8Array,
    private readonly decoder: Decoder,
  ) {
    this.channels = index.channels;
    this.frames = index.frames;
    this.#pages = pagesOf(index);
  }

  async read(start: number, frames: number, signal: AbortSignal): Promise<AudioBuffer> {
    const end = Math.min(start + frames, this.frames);
    if (start >= end) return this.decoder.window(this.channels, frames);
    const { samples } = this.#pages;
    const first = start + this.index.pre_skip;
    const [from, to] = pagesFor(samples, first, end + this.index.pre_skip);
    const run = await this.#run(from, to, signal);
    const stream = new Uint8Array(this.header.length + run.length);
    stream.set(this.header);
    stream.set(run, this.header.length);
    const firstDecoded = samples[from] ?? 0;
    const decodable = (samples[to] ?? 0) - firstDecoded;
    const find = (decoded: number) => {
      // A browser that drops the start of every stream, whatever the header says, gives less.
      const dropped = Math.max(decodable - decoded, 0);
      return first - firstDecoded - dropped;
    };
    return this.decoder.decode(stream.buffer, frames, find, signal);
  }

  async #run(from: number, to: number, signal: AbortSignal): Promise<Uint8Array> {
    const { offsets } = this.#pages;
    const at = (page: number) => offsets[page] ?? this.file.bytes;
    const known = this.#last;
    const isKnown = known.from <= from && from < known.to;
    const next = isKnown ? Math.min(known.to, to) : from;
    const fresh = await this.file.read(at(next), at(to), signal);
    const kept = isKnown
      ? known.bytes.subarray(at(from) - at(known.from), at(next) - at(known.from))
      : null;
    const bytes = new Uint8Array(at(to) - at(from));
    if (kept) bytes.set(kept);
    bytes.set(fresh, kept?.length ?? 0);
    this.#last = { from, to, bytes };
    return bytes;
  }
}
