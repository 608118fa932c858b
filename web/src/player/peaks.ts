/**
 * Zoomable peaks of an output's stems: audiowaveform `.dat` files, version 2, 8 bit, one channel.
 *
 * The coarsest file of each stem is read whole. Of the finer ones only the tiles that are looked
 * at are read, by ranges, and a bounded number of them is kept. Until a tile is here the coarsest
 * file stands in for it.
 */

import type { MediaFile, PlayableOutput, PlayableStem } from "../engine/contract";
import type { Span } from "./span";

const HEADER_BYTES = 24;
const VERSION = 2;
const EIGHT_BIT = 1;
const FULL_SCALE = 128;
const TILE_PIXELS = 4096;
/** 2 MB; what six stems need on the largest screen is a tenth of that. */
const MOST_TILES = 256;
/** Sound comes first: a browser gives a service six connections. */
const MOST_REQUESTS = 2;
/** Under which the overview's wishes stand, beside those of the stems. */
const OVERVIEW = "";
const PAUSE_AFTER_FAILURE_MS = 5000;

export interface PeaksHeader {
  readonly rateHz: number;
  readonly samplesPerPixel: number;
  readonly pixels: number;
}

/** The least and the greatest sample of each column of a picture; 128 is full scale. */
export interface Columns {
  readonly minima: Int8Array;
  readonly maxima: Int8Array;
}

/** Reads a peaks file's bytes from `from` up to, but without, `to`. */
export type ReadPeaks = (
  stem: string,
  samplesPerPixel: number,
  from: number,
  to: number,
) => Promise<Uint8Array<ArrayBuffer>>;

export class NotPeaks extends Error {}

/** Read a header. Throws `NotPeaks`. */
export function parseHeader(data: Uint8Array<ArrayBuffer>): PeaksHeader {
  if (data.length < HEADER_BYTES) throw new NotPeaks("The header is cut off.");
  const fields = new DataView(data.buffer, data.byteOffset);
  const version = fields.getInt32(0, true);
  const flags = fields.getUint32(4, true);
  const channels = fields.getInt32(20, true);
  if (version !== VERSION || flags !== EIGHT_BIT || channels !== 1) {
    throw new NotPeaks(`Version ${version}, flags ${flags}, ${channels} channels are not read.`);
  }
  const rateHz = fields.getInt32(8, true);
  const samplesPerPixel = fields.getInt32(12, true);
  if (rateHz <= 0 || samplesPerPixel <= 0) throw new NotPeaks("The header has no rate.");
  return { rateHz, samplesPerPixel, pixels: fields.getUint32(16, true) };
}

/** The coarsest resolution whose pixels are no wider than a column, else the finest. */
export function resolutionFor(available: readonly number[], samplesPerColumn: number): number {
  const fine = available.filter((each) => each <= samplesPerColumn);
  return fine.length ? Math.max(...fine) : Math.min(...available);
}

interface Tile {
  readonly stem: string;
  readonly samplesPerPixel: number;
  readonly index: number;
}

interface Coarse {
  readonly header: PeaksHeader;
  readonly pixels: Int8Array;
}

export class Peaks {
  readonly #output: PlayableOutput;
  readonly #read: ReadPeaks;
  readonly #coarse = new Map<string, Coarse>();
  /** By recency: the one that was used last comes last. */
  readonly #tiles = new Map<string, Int8Array>();
  readonly #wishes = new Map<string, readonly Tile[]>();
  readonly #underWay = new Set<string>();
  readonly #failedAt = new Map<string, number>();
  readonly #listeners = new Set<(stem: string) => void>();
  #loudest = 0;
  #isClosed = false;

  constructor(output: PlayableOutput, read: ReadPeaks) {
    this.#output = output;
    this.#read = read;
  }

  /** Read the coarsest peaks of every stem; one without peaks stays without a waveform. */
  async open(): Promise<void> {
    const waiting = this.#output.stems.filter((stem) => stem.peaks.size > 0);
    const readOn = async () => {
      for (let stem = waiting.shift(); stem; stem = waiting.shift()) await this.#readCoarse(stem);
    };
    await Promise.all(Array.from({ length: MOST_REQUESTS }, readOn));
  }

  /** The greatest sample of all stems, 0 to 1, by which pictures are scaled. */
  get loudest(): number {
    return this.#loudest / FULL_SCALE;
  }

  /** How many finer tiles are kept. */
  get tilesKept(): number {
    return this.#tiles.size;
  }

  /** Calls back with the stem of which more is known. */
  subscribe(listener: (stem: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What is known now of a span in `count` columns; what is missing is asked for. */
  columns(stem: string, span: Span, count: number): Columns {
    const columns = emptyColumns(count);
    this.#wishes.set(stem, this.#foldStem(stem, span, columns));
    this.#fetchWishes();
    return columns;
  }

  /** The extremes of all stems together, over the whole recording. */
  overview(durationS: number, count: number): Columns {
    const columns = emptyColumns(count);
    const span = { start: 0, length: durationS };
    const missing = [...this.#coarse.keys()].flatMap((stem) => this.#foldStem(stem, span, columns));
    this.#wishes.set(OVERVIEW, missing);
    this.#fetchWishes();
    return columns;
  }

  close(): void {
    this.#isClosed = true;
    this.#wishes.clear();
    this.#tiles.clear();
    this.#coarse.clear();
  }

  #filesOf(stem: string): ReadonlyMap<number, MediaFile> {
    return this.#output.stems.find((each) => each.name === stem)?.peaks ?? new Map();
  }

  async #readCoarse(stem: PlayableStem): Promise<void> {
    const samplesPerPixel = Math.max(...stem.peaks.keys());
    try {
      const bytes = stem.peaks.get(samplesPerPixel)?.bytes ?? 0;
      const data = await this.#read(stem.name, samplesPerPixel, 0, bytes);
      const header = parseHeader(data);
      if (this.#isClosed) return;
      const pixels = signed(data.subarray(HEADER_BYTES, HEADER_BYTES + 2 * header.pixels));
      for (const value of pixels) this.#loudest = Math.max(this.#loudest, Math.abs(value));
      this.#coarse.set(stem.name, { header, pixels });
      for (const each of this.#coarse.keys()) this.#tell(each); // the scale may be another
    } catch {
      // The stem plays without its picture.
    }
  }

  /** Widen columns by what is known of a stem. Gives the tiles that it would take to know more. */
  #foldStem(stem: string, span: Span, columns: Columns): Tile[] {
    const coarse = this.#coarse.get(stem);
    if (!coarse) return [];
    const count = columns.minima.length;
    const { rateHz, samplesPerPixel: coarsest } = coarse.header;
    const samplesPerColumn = (span.length * rateHz) / count;
    const chosen = resolutionFor([...this.#filesOf(stem).keys()], samplesPerColumn);
    const missing = new Set<number>();
    for (let column = 0; column < count; column += 1) {
      const from = span.start * rateHz + column * samplesPerColumn;
      const to = from + samplesPerColumn;
      const isThere =
        chosen < coarsest && this.#foldTiles(stem, chosen, from, to, columns, column, missing);
      if (!isThere) fold(coarse.pixels, 0, from / coarsest, to / coarsest, columns, column);
    }
    return [...missing].map((index) => ({ stem, samplesPerPixel: chosen, index }));
  }

  /** Fold the samples into a column, if all tiles are here. Adds those that are not to `missing`. */
  #foldTiles(
    stem: string,
    samplesPerPixel: number,
    from: number,
    to: number,
    columns: Columns,
    column: number,
    missing: Set<number>,
  ): boolean {
    const bytes = this.#filesOf(stem).get(samplesPerPixel)?.bytes ?? HEADER_BYTES;
    const lastPixel = (bytes - HEADER_BYTES) / 2 - 1;
    const first = Math.floor(from / samplesPerPixel / TILE_PIXELS);
    const last = Math.floor(Math.min(to / samplesPerPixel - 1e-9, lastPixel) / TILE_PIXELS);
    for (let index = first; index <= last; index += 1) {
      const tile = this.#use(keyOf({ stem, samplesPerPixel, index }));
      if (!tile) {
        missing.add(index);
        return false;
      }
      const shift = index * TILE_PIXELS;
      fold(tile, shift, from / samplesPerPixel, to / samplesPerPixel, columns, column);
    }
    return true;
  }

  #use(key: string): Int8Array | undefined {
    const tile = this.#tiles.get(key);
    if (tile) {
      this.#tiles.delete(key);
      this.#tiles.set(key, tile);
    }
    return tile;
  }

  #fetchWishes(): void {
    for (const tile of [...this.#wishes.values()].flat()) {
      if (this.#underWay.size >= MOST_REQUESTS) return;
      const key = keyOf(tile);
      const failedAt = this.#failedAt.get(key) ?? Number.NEGATIVE_INFINITY;
      const isResting = performance.now() - failedAt < PAUSE_AFTER_FAILURE_MS;
      if (!this.#underWay.has(key) && !this.#tiles.has(key) && !isResting) this.#fetch(tile, key);
    }
  }

  async #fetch(tile: Tile, key: string): Promise<void> {
    this.#underWay.add(key);
    try {
      const from = HEADER_BYTES + 2 * tile.index * TILE_PIXELS;
      const bytes = this.#filesOf(tile.stem).get(tile.samplesPerPixel)?.bytes ?? 0;
      const to = Math.min(bytes, from + 2 * TILE_PIXELS);
      const data = await this.#read(tile.stem, tile.samplesPerPixel, from, to);
      if (this.#isClosed) return;
      this.#tiles.set(key, signed(data));
      this.#failedAt.delete(key);
      for (const oldest of this.#tiles.keys()) {
        if (this.#tiles.size <= MOST_TILES) break;
        this.#tiles.delete(oldest);
      }
      this.#tell(tile.stem);
    } catch {
      this.#failedAt.set(key, performance.now());
    } finally {
      this.#underWay.delete(key);
      this.#fetchWishes();
    }
  }

  #tell(stem: string): void {
    for (const listener of this.#listeners) listener(stem);
  }
}

function emptyColumns(count: number): Columns {
  return { minima: new Int8Array(count), maxima: new Int8Array(count) };
}

function signed(bytes: Uint8Array<ArrayBuffer>): Int8Array {
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function keyOf({ stem, samplesPerPixel, index }: Tile): string {
  return `${stem}/${samplesPerPixel}/${index}`;
}

/** Widen a column by the pixels from `from` to `to`, at least one; `pixels` begin at `shift`. */
function fold(
  pixels: Int8Array,
  shift: number,
  from: number,
  to: number,
  columns: Columns,
  column: number,
): void {
  const first = Math.max(0, Math.floor(from) - shift);
  const end = Math.min(pixels.length / 2, Math.max(Math.floor(from) + 1, Math.floor(to)) - shift);
  let least = columns.minima[column] ?? 0;
  let greatest = columns.maxima[column] ?? 0;
  for (let pixel = first; pixel < end; pixel += 1) {
    least = Math.min(least, pixels[2 * pixel] ?? 0);
    greatest = Math.max(greatest, pixels[2 * pixel + 1] ?? 0);
  }
  columns.minima[column] = least;
  columns.maxima[column] = greatest;
}
