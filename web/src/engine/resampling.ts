/**
 * Reads a stream between its samples, at any step: what makes it higher or lower, exactly.
 *
 * Each value is a sum of the samples around it, weighted by a windowed sinc. Where samples are
 * skipped (a step above 1), the sinc is as much wider, so that nothing folds back.
 */

/** Samples to either side that count, at a step of up to 1. */
const REACH = 16;
const MAX_STEP = 4;
const POINTS_PER_SAMPLE = 512;
/** Of the Kaiser window: what folds back is 90 dB below. */
const BETA = 9;

const kernel = makeKernel();

/** How many samples beyond a position are needed to read it. */
export function reachOf(step: number): number {
  return Math.ceil(REACH * Math.max(step, 1)) + 1;
}

/** The last frames of a stream. */
export class RecentFrames {
  readonly #rings: readonly Float32Array[];
  readonly #mask: number;
  readonly #weights = new Float64Array(2 * reachOf(MAX_STEP) + 1);
  #count = 0;

  /** @param capacity How many frames are kept; a power of 2. */
  constructor(channels: number, capacity: number) {
    this.#rings = Array.from({ length: channels }, () => new Float32Array(capacity));
    this.#mask = capacity - 1;
  }

  append(channels: readonly Float32Array[], frames: number): void {
    this.#rings.forEach((ring, channel) => {
      const samples = channels[channel];
      for (let frame = 0; frame < frames; frame += 1) {
        ring[(this.#count + frame) & this.#mask] = samples?.[frame] ?? 0;
      }
    });
    this.#count += frames;
  }

  /**
   * Reads all channels at one position.
   *
   * @param position In frames from the first one, `reachOf(step)` before the last one at least.
   * @param step How far the next position will be, 4 at most.
   */
  read(position: number, step: number, targets: readonly Float32Array[], frame: number): void {
    const scale = 1 / Math.max(step, 1);
    const reach = REACH / scale;
    const first = Math.ceil(position - reach);
    const count = Math.floor(position + reach) - first + 1;
    for (let each = 0; each < count; each += 1) {
      this.#weights[each] = scale * weight((first + each - position) * scale);
    }
    targets.forEach((target, channel) => {
      const ring = this.#rings[channel];
      let sum = 0;
      for (let each = 0; each < count; each += 1) {
        sum += (ring?.[(first + each) & this.#mask] ?? 0) * (this.#weights[each] ?? 0);
      }
      target[frame] = sum;
    });
  }
}

/** The kernel at a distance in samples, between its points. */
function weight(distance: number): number {
  const point = Math.abs(distance) * POINTS_PER_SAMPLE;
  const below = Math.floor(point);
  const from = kernel[below] ?? 0;
  return from + ((kernel[below + 1] ?? 0) - from) * (point - below);
}

function makeKernel(): Float64Array {
  const points = new Float64Array(REACH * POINTS_PER_SAMPLE + 2);
  for (let point = 0; point <= REACH * POINTS_PER_SAMPLE; point += 1) {
    const distance = point / POINTS_PER_SAMPLE;
    const sinc = point === 0 ? 1 : Math.sin(Math.PI * distance) / (Math.PI * distance);
    points[point] = (sinc * bessel(BETA * Math.sqrt(1 - (distance / REACH) ** 2))) / bessel(BETA);
  }
  return points;
}

/** The modified Bessel function of the first kind and order 0. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
