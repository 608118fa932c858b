/**
 * Windows of WAV files: PCM of 16, 24 or 32 bits and float of 32 or 64, RF64 among them.
 *
 * Frames lie at even distances, so a window is found by arithmetic and needs no decoder.
 *
 * Sources: IBM and Microsoft, Multimedia Programming Interface 1.0 (RIFF); EBU Tech 3306 (RF64).
 */

import type { Decoder } from "./decoding";
import { PlaybackError } from "./failure";
import type { RangedFile } from "./ranges";
import type { StemReader } from "./reader";

const HEADER_BYTES = 4096;
const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** The size that a chunk has in the head of an RF64 file: the true one stands in `ds64`. */
const SIZE_ELSEWHERE = 0xffff_ffff;

/** What a WAV file's head says. */
export interface WavHeader {
  readonly rateHz: number;
  readonly channels: number;
  readonly bits: number;
  readonly isFloat: boolean;
  readonly frames: number;
  /** Where its first frame begins. */
  readonly dataStart: number;
}

/** Reads a WAV file's head, or null if it does not end within these bytes. Throws `PlaybackError`. */
export function parseWav(bytes: Uint8Array, fileBytes: number): WavHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (!["RIFF", "RF64", "BW64"].includes(name(0)) || name(8) !== "WAVE") {
    throw new PlaybackError("This is not a WAV file.");
  }
  let format: Pick<WavHeader, "rateHz" | "channels" | "bits" | "isFloat"> | null = null;
  let longSize: number | null = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const content = at + 8;
    if (name(at) === "data" && format !== null) {
      const promised = size === SIZE_ELSEWHERE && longSize !== null ? longSize : size;
      const present = Math.min(promised, fileBytes - content);
      const frames = Math.floor(present / ((format.channels * format.bits) / 8));
      return { ...format, frames, dataStart: content };
    }
    if (content + 24 > bytes.length) return null;
    if (name(at) === "ds64") longSize = Number(view.getBigUint64(content + 8, true));
    if (name(at) === "fmt ") format = parseFormat(view, content);
    at = content + size + (size % 2);
  }
  return null;
}

function parseFormat(view: DataView, at: number) {
  const tag = view.getUint16(at, true);
  // An extensible format names the true one in the first bytes of its GUID.
  const kind = tag === EXTENSIBLE ? view.getUint16(at + 24, true) : tag;
  const bits = view.getUint16(at + 14, true);
  const isFloat = kind === FLOAT;
  const known = isFloat ? [32, 64] : [16, 24, 32];
  if ((kind !== PCM && !isFloat) || !known.includes(bits)) {
    throw new PlaybackError(`WAV files of this kind (${kind}, ${bits} bits) cannot be played.`);
  }
  return {
    channels: view.getUint16(at + 2, true),
    rateHz: view.getUint32(at + 4, true),
    bits,
    isFloat,
  };
}

/** Puts interleaved little-endian samples into a buffer, ±1 being full scale. */
export function unpack(
  bytes: Uint8Array<ArrayBuffer>,
  header: Pick<WavHeader, "bits" | "isFloat" | "channels">,
  channelOf: (channel: number) => Float32Array,
): void {
  const { bits, channels } = header;
  const width = bits / 8;
  const frames = Math.floor(bytes.length / width / channels);
  const sample = sampleReader(bytes, bits, header.isFloat);
  for (let channel = 0; channel < channels; channel += 1) {
    const samples = channelOf(channel);
    for (let frame = 0, at = channel; frame < frames; frame += 1, at += channels) {
      samples[frame] = sample(at);
    }
  }
}

function sampleReader(bytes: Uint8Array<ArrayBuffer>, bits: number, isFloat: boolean) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isFloat) {
    return bits === 32
      ? (at: number) => view.getFloat32(at * 4, true)
      : (at: number) => view.getFloat64(at * 8, true);
  }
  if (bits === 16) return (at: number) => view.getInt16(at * 2, true) / 2 ** 15;
  if (bits === 32) return (at: number) => view.getInt32(at * 4, true) / 2 ** 31;
  return (at: number) =>
    (view.getUint16(at * 3, true) + view.getInt8(at * 3 + 2) * 2 ** 16) / 2 ** 23;
}

/** Opens a WAV file. */
export async function openWav(
  file: RangedFile,
  decoder: Decoder,
  signal: AbortSignal,
): Promise<StemReader> {
  let header: WavHeader | null = null;
  for (let bytes = HEADER_BYTES; header === null; bytes *= 8) {
    header = parseWav(await file.read(0, Math.min(bytes, file.bytes), signal), file.bytes);
    if (header === null && bytes >= file.bytes) {
      throw new PlaybackError("This WAV file holds no audio.");
    }
  }
  return new WavReader(file, header, decoder);
}

class WavReader implements StemReader {
  readonly rateHz: number;
  readonly channels: number;
  readonly frames: number;

  constructor(
    private readonly file: RangedFile,
    private readonly header: WavHeader,
    private readonly decoder: Decoder,
  ) {
    this.rateHz = header.rateHz;
    this.channels = header.channels;
    this.frames = header.frames;
  }

  async read(start: number, frames: number, signal: AbortSignal): Promise<AudioBuffer> {
    const { channels, bits, dataStart } = this.header;
    const frameBytes = (channels * bits) / 8;
    const first = Math.min(start, this.frames);
    const end = Math.min(start + frames, this.frames);
    const bytes = await this.file.read(
      dataStart + first * frameBytes,
      dataStart + end * frameBytes,
      signal,
    );
    const window = this.decoder.window(channels, frames);
    unpack(bytes, this.header, (channel) => window.getChannelData(channel));
    return window;
  }
}
