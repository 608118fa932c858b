/** Opens the stems of an output for reading by windows. */

import type { MediaFile, PlayableOutput, PlayableStem } from "./contract";
import { type DecodedAudio, Decoder } from "./decoding";
import { PlaybackError } from "./failure";
import { openFlac } from "./flac";
import { openOpus } from "./opus";
import { Addresses, type Meter, RangedFile } from "./ranges";
import type { StemReader } from "./reader";
import { openWav } from "./wav";

/** Opens all stems at once, in their order. Throws `PlaybackError`. */
export function openStems(
  output: PlayableOutput,
  audio: DecodedAudio,
  meter: Meter,
  signal: AbortSignal,
): Promise<StemReader[]> {
  const addresses = new Addresses(output);
  const decoder = new Decoder(output.rateHz, audio);
  const open = async (stem: PlayableStem, number: number) => {
    const stemIn = (fresh: PlayableOutput) => found(fresh.stems[number], stem.name);
    const file = new RangedFile(addresses, (fresh) => stemIn(fresh).file, meter);
    const index = () =>
      new RangedFile(addresses, (fresh) => found(stemIn(fresh).index, stem.name), meter);
    const reader = await openAs(stem, file, index, decoder, signal);
    if (reader.rateHz !== output.rateHz) {
      throw new PlaybackError(
        `The stem ${stem.name} has ${reader.rateHz} Hz where ${output.rateHz} Hz were expected.`,
      );
    }
    return reader;
  };
  return Promise.all(output.stems.map(open));
}

function openAs(
  stem: PlayableStem,
  file: RangedFile,
  index: () => RangedFile,
  decoder: Decoder,
  signal: AbortSignal,
): Promise<StemReader> {
  switch (stem.encoding) {
    case "wav":
      return openWav(file, decoder, signal);
    case "flac":
      return openFlac(file, decoder, signal);
    case "opus":
      return openOpus(file, index(), decoder, signal);
  }
}

function found<Thing extends MediaFile | PlayableStem>(
  thing: Thing | null | undefined,
  stem: string,
): Thing {
  if (!thing) throw new PlaybackError(`A file of the stem ${stem} is missing.`);
  return thing;
}
