/**
 * Windows of FLAC files, found by their SEEKTABLE.
 *
 * The bytes between two seek points hold some seconds of audio. They are cut into FLAC frames here,
 * so that a window can be decoded as a stream of its own that holds no more than it needs: the
 * marker, a STREAMINFO with the length of the window, its frames.
 *
 * Source: RFC 9639, sections 8.2 (STREAMINFO), 8.5 (SEEKTABLE) and 9.1 (frame header).
 */

import type { Decoder } from "./decoding";
import { PlaybackError } from "./failure";
import type { RangedFile } from "./ranges";
import type { StemReader } from "./reader";

const HEADER_BYTES = 65_536;
const MARKER = 0x664c_6143;
const STREAMINFO = 0;
const SEEKTABLE = 3;
const STREAMINFO_BYTES = 34;
const POINT_BYTES = 18;
const PLACEHOLDER = 0xffff_ffff_ffff_ffffn;
const LAST_BLOCK = 0x80;
/** Marker and the heads of the blocks before a stream's first frame, with STREAMINFO alone. */
const PREAMBLE_BYTES = 8;

/** What a FLAC file's head says. */
export interface FlacHeader {
  readonly streamInfo: Uint8Array;
  readonly rateHz: number;
  readonly channels: number;
  readonly frames: number;
  /** Frames of audio in a FLAC frame, if that is the same for all; the most there are, if not. */
  readonly blockFrames: number;
  readonly minFrameBytes: number;
  /** Where the first FLAC frame begins. */
  readonly audioStart: number;
  /** First frame and place, counted from `audioStart`, of each seek point. */
  readonly points: readonly (readonly [frame: number, offset: number])[];
}

/** Where a FLAC frame begins. */
export interface FlacFrame {
  readonly frame: number;
  readonly offset: number;
}

/** Reads a FLAC file's head, or gives the bytes that it needs, if more. Throws `PlaybackError`. */
export function parseFlac(bytes: Uint8Array): FlacHeader | number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || view.getUint32(0) !== MARKER) {
    throw new PlaybackError("This is not a FLAC file.");
  }
  let streamInfo: Uint8Array | null = null;
  let points: [number, number][] = [];
  let at = 4;
  for (let isLast = false; !isLast; ) {
    if (at + 4 > bytes.length) return at + HEADER_BYTES;
    const head = view.getUint32(at);
    const kind = (head >>> 24) & ~LAST_BLOCK;
    const end = at + 4 + (head & 0xff_ffff);
    if (end > bytes.length) return end + 4;
    if (kind === STREAMINFO) streamInfo = bytes.slice(at + 4, end);
    if (kind === SEEKTABLE) points = parsePoints(view, at + 4, end);
    isLast = head >>> 31 === 1;
    at = end;
  }
  if (streamInfo?.length !== STREAMINFO_BYTES) {
    throw new PlaybackError("The head of this FLAC file cannot be read.");
  }
  if (points[0]?.[0] !== 0) points.unshift([0, 0]);
  return { ...parseStreamInfo(streamInfo), streamInfo, audioStart: at, points };
}

function parsePoints(view: DataView, from: number, to: number): [number, number][] {
  const points: [number, number][] = [];
  for (let at = from; at + POINT_BYTES <= to; at += POINT_BYTES) {
    const frame = view.getBigUint64(at);
    if (frame !== PLACEHOLDER) points.push([Number(frame), Number(view.getBigUint64(at + 8))]);
  }
  return points;
}

function parseStreamInfo(info: Uint8Array) {
  const view = new DataView(info.buffer, info.byteOffset);
  const packed = view.getUint32(10); // 20 bits of rate, 3 of channels, 5 of depth, 4 of length
  return {
    blockFrames: view.getUint16(2),
    minFrameBytes: view.getUint32(3) & 0xff_ffff,
    rateHz: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    frames: (packed & 15) * 2 ** 32 + view.getUint32(14),
  };
}

/**
 * Finds the FLAC frames in bytes that begin with one.
 *
 * A frame's head does not say how long it is. The next one begins where bytes look like a head, the
 * head's checksum fits, and the number is the next: what that takes for a head is one.
 */
export function findFrames(bytes: Uint8Array, header: FlacHeader): FlacFrame[] {
  const frames: FlacFrame[] = [];
  const least = Math.max(header.minFrameBytes, 1);
  let expected: number | null = null;
  for (let at = bytes.indexOf(0xff); at >= 0; ) {
    const head = parseFrameHead(bytes, at, header);
    if (head !== null && (expected === null || head.frame === expected)) {
      frames.push({ frame: head.frame, offset: at });
      expected = head.frame + head.frames;
      at = bytes.indexOf(0xff, at + least);
    } else {
      at = bytes.indexOf(0xff, at + 1);
    }
  }
  return frames;
}

/** The first frame of audio in a FLAC frame and how many it holds; null if there is no head. */
export function parseFrameHead(
  bytes: Uint8Array,
  start: number,
  header: Pick<FlacHeader, "blockFrames">,
): { readonly frame: number; readonly frames: number } | null {
  const byte = (at: number) => bytes[at] ?? 0;
  if (byte(start) !== 0xff || (byte(start + 1) & 0xfe) !== 0xf8) return null;
  const isVariable = (byte(start + 1) & 1) === 1;
  const sizeCode = byte(start + 2) >> 4;
  const rateCode = byte(start + 2) & 15;
  if (sizeCode === 0 || rateCode === 15 || (byte(start + 3) & 1) === 1) return null;

  // A number in the manner of UTF-8: the first byte's leading ones are the count of bytes.
  const lead = byte(start + 4);
  const ones = Math.clz32(~(lead << 24));
  if (ones === 1 || ones > 7) return null;
  const length = Math.max(ones, 1);
  let number = ones === 0 ? lead : lead & (0x7f >> ones);
  for (let at = start + 5; at < start + 4 + length; at += 1) number = number * 64 + (byte(at) & 63);

  let at = start + 4 + length;
  let frames = blockFramesOf(sizeCode);
  if (sizeCode === 6) frames = byte(at) + 1;
  if (sizeCode === 7) frames = byte(at) * 256 + byte(at + 1) + 1;
  at += sizeCode === 6 ? 1 : sizeCode === 7 ? 2 : 0;
  at += rateCode === 12 ? 1 : rateCode === 13 || rateCode === 14 ? 2 : 0;
  if (at >= bytes.length || checksum(bytes.subarray(start, at)) !== byte(at)) return null;
  return { frame: isVariable ? number : number * header.blockFrames, frames };
}

function blockFramesOf(code: number): number {
  if (code === 1) return 192;
  return code < 8 ? 576 * 2 ** (code - 2) : 2 ** code;
}

/** The checksum of a frame's head: CRC-8 with the polynomial 0x07. */
export function checksum(head: Uint8Array): number {
  let sum = 0;
  for (const byte of head) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 0x80 ? ((sum << 1) ^ 0x07) & 0xff : sum << 1;
  }
  return sum;
}

/** A stream of some FLAC frames alone. */
export function streamOf(
  header: FlacHeader,
  frames: number,
  parts: readonly Uint8Array[],
): ArrayBuffer {
  const bytes = parts.reduce((sum, part) => sum + part.length, PREAMBLE_BYTES + STREAMINFO_BYTES);
  const stream = new Uint8Array(bytes);
  const view = new DataView(stream.buffer);
  view.setUint32(0, MARKER);
  view.setUint32(4, (LAST_BLOCK << 24) | STREAMINFO_BYTES);
  stream.set(header.streamInfo, PREAMBLE_BYTES);
  const length = PREAMBLE_BYTES + 13;
  stream[length] = (stream[length] ?? 0) & 0xf0; // a window has less than 2³² frames
  view.setUint32(length + 1, frames);
  stream.fill(0, length + 5, PREAMBLE_BYTES + STREAMINFO_BYTES); // its MD5 is not known
  let at = PREAMBLE_BYTES + STREAMINFO_BYTES;
  for (const part of parts) {
    stream.set(part, at);
    at += part.length;
  }
  return stream.buffer;
}

/** Opens a FLAC file. */
export async function openFlac(
  file: RangedFile,
  decoder: Decoder,
  signal: AbortSignal,
): Promise<StemReader> {
  let header: FlacHeader | number = HEADER_BYTES;
  while (typeof header === "number") {
    const bytes = Math.min(header, file.bytes);
    header = parseFlac(await file.read(0, bytes, signal));
    if (typeof header === "number" && bytes === file.bytes) {
      throw new PlaybackError("This FLAC file is cut off.");
    }
  }
  return new FlacReader(file, header, decoder);
}

/** What lies between two seek points. */
interface Interval {
  readonly bytes: Uint8Array;
  readonly frames: readonly FlacFrame[];
}

class FlacReader implements StemReader {
  readonly rateHz: number;
  readonly channels: number;
  readonly frames: number;
  // The next window begins where this one ends, mostly between the same seek points.
  #intervals = new Map<number, Interval>();

  constructor(
    private readonly file: RangedFile,
    private readonly header: FlacHeader,
    private readonly decoder: Decoder,
  ) {
    this.rateHz = header.rateHz;
    this.channels = header.channels;
    this.frames = header.frames;
  }

  async read(start: number, frames: number, signal: AbortSignal): Promise<AudioBuffer> {
    const end = Math.min(start + frames, this.frames);
    if (start >= end) return this.decoder.window(this.channels, frames);
    const [from, to] = [this.#pointAt(start), this.#pointAt(end - 1) + 1];
    const numbers = Array.from({ length: to - from }, (_, n) => from + n);
    const intervals = await Promise.all(numbers.map((number) => this.#interval(number, signal)));
    this.#intervals = new Map(numbers.map((number, n) => [number, intervals[n] ?? NOTHING]));

    const chosen = intervals.map((interval) => cut(interval, start, end));
    const firstDecoded = chosen.find((part) => part.frame !== null)?.frame ?? start;
    const lastDecoded = chosen.findLast((part) => part.end !== null)?.end ?? this.#endOf(to - 1);
    const stream = streamOf(
      this.header,
      lastDecoded - firstDecoded,
      chosen.map((part) => part.bytes),
    );
    return this.decoder.decode(stream, frames, () => start - firstDecoded, signal);
  }

  #pointAt(frame: number): number {
    const { points } = this.header;
    let low = 0;
    let high = points.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((points[middle]?.[0] ?? 0) <= frame) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The frame at which the interval behind a seek point ends. */
  #endOf(number: number): number {
    return this.header.points[number + 1]?.[0] ?? this.frames;
  }

  async #interval(number: number, signal: AbortSignal): Promise<Interval> {
    const known = this.#intervals.get(number);
    if (known) return known;
    const { points, audioStart } = this.header;
    const place = (point: number) => {
      const offset = points[point]?.[1];
      return offset === undefined ? this.file.bytes : audioStart + offset;
    };
    const bytes = await this.file.read(place(number), place(number + 1), signal);
    return { bytes, frames: findFrames(bytes, this.header) };
  }
}

const NOTHING: Interval = { bytes: new Uint8Array(0), frames: [] };

/** The FLAC frames of an interval that hold something of a window. */
function cut(interval: Interval, start: number, end: number) {
  const { frames, bytes } = interval;
  const first = Math.max(
    frames.findLastIndex(({ frame }) => frame <= start),
    0,
  );
  const behind = frames.findIndex(({ frame }) => frame >= end);
  return {
    frame: frames[first]?.frame ?? null,
    /** The first frame behind them, null if that is the interval's end. */
    end: frames[behind]?.frame ?? null,
    bytes: bytes.subarray(frames[first]?.offset ?? 0, frames[behind]?.offset ?? bytes.length),
  };
}
