/**
 * What the player engine is given and what it offers; no part of `engine/` imports React.
 *
 * Positions are integer frames at the rate that the files are played at. Seconds are for people.
 */

/** A file that can be read in ranges. Its address ends; `renew` gives a new one. */
export interface MediaFile {
  readonly url: string;
  readonly bytes: number;
}

/** How a stem's samples are found. */
export type StemEncoding = "wav" | "flac" | "opus";

/** One stem of an output. */
export interface PlayableStem {
  readonly name: string;
  readonly encoding: StemEncoding;
  /** What is played: the stem itself, or the rendition beside it. */
  readonly file: MediaFile;
  /** Index of an Opus file's pages (`*.opus.index.json`); none for WAV and FLAC. */
  readonly index: MediaFile | null;
  /** Peaks by samples per pixel: 256, 1024, 4096, 16384. */
  readonly peaks: ReadonlyMap<number, MediaFile>;
  /** Gain towards an equal loudness, a hint, in dB. */
  readonly gainDb: number;
  /** Whether nothing can be heard in it. */
  readonly isSilent: boolean;
}

/** An output that can be played. */
export interface PlayableOutput {
  readonly id: string;
  readonly name: string;
  /** The rate of the files that are played, which positions count in: 48,000 for Opus. */
  readonly rateHz: number;
  /** Frames of each stem at that rate; the same for all. */
  readonly frames: number;
  readonly stems: readonly PlayableStem[];
  /** Gives the output with fresh addresses. */
  readonly renew: () => Promise<PlayableOutput>;
}

/** How one stem is heard. */
export interface StemSettings {
  /** Added to the stem's own gain, in dB; -Infinity is silence. */
  readonly volumeDb: number;
  readonly isMuted: boolean;
  readonly isSoloed: boolean;
  /** -1 is left, 1 is right. */
  readonly pan: number;
}

/** A stretch that is repeated: from `start` up to, but without, `end`. */
export interface Loop {
  readonly start: number;
  readonly end: number;
}

/** All that is heard, other than the position: kept per recording, written into links. */
export interface Mix {
  readonly stems: Readonly<Record<string, StemSettings>>;
  readonly masterDb: number;
  /** Whether stems start from an equal loudness (`gainDb`), else as they are. */
  readonly isLevelled: boolean;
  /** 0.5 to 1.5; the pitch stays. */
  readonly speed: number;
  /** -6 to 6; the speed stays. */
  readonly semitones: number;
  readonly loop: Loop | null;
}

export type Status = "opening" | "paused" | "playing" | "waiting" | "ended" | "failed";

/** How the player stands; a new object with each change, the same one between changes. */
export interface PlayerState {
  readonly status: Status;
  readonly mix: Mix;
  /** Why it failed, for people. */
  readonly error: string | null;
}

/** What tests and a curious person look at. */
export interface Figures {
  /** Bytes of decoded audio that are alive now, and the most that were. */
  readonly decodedBytes: number;
  readonly decodedBytesPeak: number;
  /** From the last seek or play to the first sound, in ms. */
  readonly firstSoundMs: number | null;
  /** Windows that came too late, each of which made all stems wait together. */
  readonly lateWindows: number;
  readonly requests: number;
  readonly fetchedBytes: number;
}

/** Plays all stems of one output, in exact sync. */
export interface StemPlayer {
  readonly output: PlayableOutput;
  readonly state: PlayerState;
  /** Calls back after each change of `state`; gives what ends that. */
  subscribe(listener: () => void): () => void;
  /** The frame that is heard now, or would be. */
  position(): number;
  play(): Promise<void>;
  pause(): void;
  seek(frame: number): void;
  setStem(name: string, change: Partial<StemSettings>): void;
  setMix(change: Partial<Omit<Mix, "stems">>): void;
  /** Peak level of a stem and of the sum in the last moment, 0 to 1; null is the sum. */
  level(stem: string | null): number;
  figures(): Figures;
  close(): Promise<void>;
}
