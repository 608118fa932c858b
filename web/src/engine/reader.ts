/** What all kinds of files have in common for a player: any window of them can be read. */

export interface StemReader {
  readonly rateHz: number;
  readonly channels: number;
  readonly frames: number;
  /**
   * Reads `frames` from frame `start` on; beyond the file's end they are silent.
   *
   * The buffer is counted as alive until it is given back to `DecodedAudio`.
   */
  read(start: number, frames: number, signal: AbortSignal): Promise<AudioBuffer>;
}
