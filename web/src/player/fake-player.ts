/** A player without sound, for tests of what is around it. */

import type { Mix, PlayableOutput, PlayerState, StemPlayer } from "../engine/contract";

const RATE_HZ = 1000;

/** An output of `durationS` seconds with stems of these names. */
export function fakeOutput(durationS: number, names: readonly string[]): PlayableOutput {
  const output: PlayableOutput = {
    id: "output",
    name: "Practice",
    rateHz: RATE_HZ,
    frames: durationS * RATE_HZ,
    stems: names.map((name) => ({
      name,
      encoding: "wav",
      file: { url: `/${name}.wav`, bytes: 0 },
      index: null,
      peaks: new Map(),
      gainDb: 0,
      isSilent: false,
    })),
    renew: async () => output,
  };
  return output;
}

export class FakePlayer implements StemPlayer {
  readonly output: PlayableOutput;
  state: PlayerState;
  #frame = 0;
  readonly #listeners = new Set<() => void>();

  constructor(durationS: number, names: readonly string[]) {
    this.output = fakeOutput(durationS, names);
    const plain = { volumeDb: 0, isMuted: false, isSoloed: false, pan: 0 };
    const mix: Mix = {
      stems: Object.fromEntries(names.map((name) => [name, plain])),
      masterDb: 0,
      isLevelled: true,
      speed: 1,
      semitones: 0,
      loop: null,
    };
    this.state = { status: "paused", mix, error: null };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  position(): number {
    return this.#frame;
  }

  async play(): Promise<void> {
    this.change({ status: "playing" });
  }

  pause(): void {
    this.change({ status: "paused" });
  }

  seek(frame: number): void {
    this.#frame = frame;
  }

  setStem: StemPlayer["setStem"] = (name, change) => {
    const stem = this.state.mix.stems[name];
    if (!stem) throw new Error(`There is no stem ${name}.`);
    const stems = { ...this.state.mix.stems, [name]: { ...stem, ...change } };
    this.change({ mix: { ...this.state.mix, stems } });
  };

  setMix: StemPlayer["setMix"] = (change) => {
    this.change({ mix: { ...this.state.mix, ...change } });
  };

  level(): number {
    return 0;
  }

  figures() {
    return {
      decodedBytes: 0,
      decodedBytesPeak: 0,
      firstSoundMs: null,
      lateWindows: 0,
      requests: 0,
      fetchedBytes: 0,
    };
  }

  async close(): Promise<void> {}

  change(change: Partial<PlayerState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
