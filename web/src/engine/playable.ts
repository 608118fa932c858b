/** Finds in the API's answer what the player needs of an output. */

import type { Output } from "../api/client";
import type { MediaFile, PlayableOutput, PlayableStem, StemEncoding } from "./contract";
import { PlaybackError } from "./failure";

const OPUS_RATE_HZ = 48_000;
const RENDITION = ".player.opus";
const INDEX = ".index.json";
const SAMPLES_PER_PIXEL = [256, 1024, 4096, 16_384] as const;
/** A stem whose largest sample is below this holds nothing that can be heard: -80 dB. */
const SILENT_PEAK = 1e-4;

/**
 * Makes an output playable. Throws `PlaybackError` if it says too little of itself.
 *
 * @param fetchOutput Asks the API for the output again, with fresh addresses.
 */
export function playableOf(output: Output, fetchOutput: () => Promise<Output>): PlayableOutput {
  const recording = entry(output.metadata, "recording");
  const stems = entry(output.metadata, "stems");
  const files = new Map(output.files.map((file) => [file.name, file]));
  const playable = output.stems.map((name) => stemOf(name, entry(stems, name), files));
  const recordedHz = numberOf(recording, "rate_hz");
  const frames = numberOf(recording, "frames");
  const rateHz = rateOf(output, recordedHz, playable);
  return {
    id: output.output_id,
    name: output.recording_name,
    rateHz,
    frames: Math.ceil((frames * rateHz) / recordedHz),
    stems: playable,
    renew: async () => playableOf(await fetchOutput(), fetchOutput),
  };
}

/** The rate of what is played: a format keeps the recording's, or has been given another. */
function rateOf(output: Output, recordedHz: number, stems: readonly PlayableStem[]): number {
  if (stems.some(({ encoding }) => encoding === "opus")) return OPUS_RATE_HZ;
  const encoding: unknown = output.metadata.encoding;
  return isObject(encoding) && typeof encoding.rate_hz === "number" ? encoding.rate_hz : recordedHz;
}

function stemOf(name: string, stem: Entry, files: ReadonlyMap<string, MediaFile>): PlayableStem {
  const own = textOf(stem, "stem_url");
  const others = textsOf(stem, "companion_urls");
  const played = others.find((file) => file.endsWith(RENDITION)) ?? own;
  const encoding = encodingOf(played);
  const file = (wanted: string) => {
    const { url, bytes } = files.get(wanted) ?? missing(wanted);
    return { url, bytes };
  };
  const peaks = textsOf(stem, "peaks_urls").flatMap((peaksFile) => {
    const samples = SAMPLES_PER_PIXEL.find((each) => peaksFile.endsWith(`.peaks-${each}.dat`));
    return samples === undefined ? [] : [[samples, file(peaksFile)] as const];
  });
  const gainDb = stem.stem_gain_adjustment_db;
  const peak = stem.peak_amplitude;
  return {
    name,
    encoding,
    file: file(played),
    index: encoding === "opus" ? file(`${played}${INDEX}`) : null,
    peaks: new Map(peaks),
    gainDb: typeof gainDb === "number" ? gainDb : 0,
    isSilent: typeof peak === "number" && peak < SILENT_PEAK,
  };
}

function encodingOf(file: string): StemEncoding {
  if (file.endsWith(".wav")) return "wav";
  if (file.endsWith(".flac")) return "flac";
  if (file.endsWith(".opus")) return "opus";
  throw new PlaybackError(`The file ${file} cannot be played: it has no rendition for players.`);
}

type Entry = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entry(holder: Entry, name: string): Entry {
  const value = holder[name];
  return isObject(value) ? value : missing(name);
}

function numberOf(holder: Entry, name: string): number {
  const value = holder[name];
  return typeof value === "number" ? value : missing(name);
}

function textOf(holder: Entry, name: string): string {
  const value = holder[name];
  return typeof value === "string" ? value : missing(name);
}

function textsOf(holder: Entry, name: string): readonly string[] {
  const value = holder[name];
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function missing(name: string): never {
  throw new PlaybackError(`The output does not say enough of itself to be played: ${name}.`);
}
