/**
 * A limiter with a look ahead: no sample leaves above full scale, and none is touched while the sum
 * stays below it.
 *
 * The factor that a sample needs is known some frames before it leaves. The least of those in the
 * look-ahead, averaged over it, has come down to what the sample needs when the sample leaves; it
 * goes up again slowly.
 */

const RELEASE_S = 0.1;
/** A factor so near to 1 counts as 1: less than half a step of 24 bits at full scale. */
const NEARLY_ONE = 1 - 2 ** -25;

export class Limiter {
  readonly #delayed: Float32Array[];
  /** The factors that the last frames need, and their least so far, with its slow way back. */
  readonly #factors: Float64Array;
  readonly #leasts: Float64Array;
  readonly #release: number;
  #at = 0;
  #factorAt = 0;
  #least = 1;
  /** Frames since the last one that needed less than 1, or was averaged with one. */
  #calmFrames = Number.POSITIVE_INFINITY;

  constructor(
    channels: number,
    private readonly aheadFrames: number,
    rateHz: number,
  ) {
    this.#delayed = Array.from({ length: channels }, () => new Float32Array(aheadFrames));
    // One more, so that a sample's own is among them when it leaves.
    this.#factors = new Float64Array(aheadFrames + 1).fill(1);
    this.#leasts = new Float64Array(aheadFrames).fill(1);
    this.#release = 1 - Math.exp(-1 / (RELEASE_S * rateHz));
  }

  /** Gives as many frames as it takes, `aheadFrames` later. */
  process(input: readonly Float32Array[], output: readonly Float32Array[]): void {
    const frames = output[0]?.length ?? 0;
    for (let frame = 0; frame < frames; frame += 1) {
      const factor = this.#factor(input, frame);
      this.#delayed.forEach((delayed, channel) => {
        const sample = (delayed[this.#at] ?? 0) * factor;
        const target = output[channel];
        if (target) target[frame] = sample;
        delayed[this.#at] = input[channel]?.[frame] ?? 0;
      });
      this.#at = (this.#at + 1) % this.aheadFrames;
    }
  }

  /** The factor of the frame that leaves as one more comes in. */
  #factor(input: readonly Float32Array[], frame: number): number {
    let peak = 0;
    for (const channel of input) peak = Math.max(peak, Math.abs(channel[frame] ?? 0));
    this.#calmFrames = peak > 1 || this.#least < 1 ? 0 : this.#calmFrames + 1;
    this.#factors[this.#factorAt] = peak > 1 ? 1 / peak : 1;
    this.#factorAt = (this.#factorAt + 1) % this.#factors.length;
    if (this.#calmFrames > 2 * this.aheadFrames) return 1;

    let least = 1;
    for (const factor of this.#factors) least = Math.min(least, factor);
    const rising = this.#least + (1 - this.#least) * this.#release;
    this.#least = Math.min(least, rising > NEARLY_ONE ? 1 : rising);
    this.#leasts[this.#at] = this.#least;
    let sum = 0;
    for (const each of this.#leasts) sum += each;
    return Math.min(sum / this.aheadFrames, 1);
  }
}
