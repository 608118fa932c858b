/** Reads parts of the peaks of an output's stems. */

import type { MediaFile, PlayableOutput } from "../engine/contract";
import { PlaybackError } from "../engine/failure";
import { Addresses, Meter, RangedFile } from "../engine/ranges";
import type { ReadPeaks } from "./peaks";

/** A reader of its own addresses: they may end long after those of the sound were renewed. */
export function peakFiles(output: PlayableOutput, signal: AbortSignal): ReadPeaks {
  const addresses = new Addresses(output);
  const meter = new Meter();
  return (stem, samplesPerPixel, from, to) => {
    const locate = (of: PlayableOutput) => peaksOf(of, stem, samplesPerPixel);
    return new RangedFile(addresses, locate, meter).read(from, to, signal);
  };
}

function peaksOf(output: PlayableOutput, stem: string, samplesPerPixel: number): MediaFile {
  const file = output.stems.find(({ name }) => name === stem)?.peaks.get(samplesPerPixel);
  if (!file) throw new PlaybackError(`The peaks of ${stem} are not there.`);
  return file;
}
