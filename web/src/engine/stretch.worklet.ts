/**
 * The pitch shifter in the audio thread: the package's engine makes the sound longer or shorter, and
 * resampling brings it back to its length, at another pitch.
 *
 * The engine can shift by itself, but is off by some cents (17 for a sine of 110 Hz, +3 semitones):
 * a slower song would be out of tune. Changing the length alone, it keeps each frequency exactly.
 */

// Before the package, so that it finds what it registers with.
import { register, takenProcessor } from "./stretch-base";
import "signalsmith-stretch";
import { RecentFrames } from "./resampling";
import { LAG_FRAMES, PROCESSOR, ratioOf, SEMITONES } from "./shift";

const CHANNELS = 2;
const RING_FRAMES = 4096;

class StretchProcessor extends takenProcessor() {
  static get parameterDescriptors() {
    return [{ name: SEMITONES, defaultValue: 0, automationRate: "k-rate" }];
  }

  readonly #recent = new RecentFrames(CHANNELS, RING_FRAMES);
  /** Frames that the engine should have given so far: so many were taken, each times its ratio. */
  #due = 0;
  #given = 0;

  process(
    inputs: Float32Array[][],
    outputs: Float32Array[][],
    parameters: Record<string, Float32Array>,
  ): boolean {
    const output = outputs[0] ?? [];
    const frames = output[0]?.length ?? 0;
    if (!this.wasmReady || frames === 0) return true;
    const ratio = ratioOf(parameters[SEMITONES]?.[0] ?? 0);
    const before = this.#due;
    this.#due += frames * ratio;
    this.#change(inputs[0] ?? [], frames, Math.floor(this.#due) - this.#given);
    for (let frame = 0; frame < frames; frame += 1) {
      this.#recent.read(before + frame * ratio - LAG_FRAMES, ratio, output, frame);
    }
    return true;
  }

  /** Lets the engine take a block, and keeps what it gives. */
  #change(input: readonly Float32Array[], taken: number, given: number): void {
    this.buffersIn.forEach((address, channel) => {
      const block = this.#memory(address, taken);
      const source = input[channel];
      if (source) block.set(source);
      else block.fill(0);
    });
    this.wasmModule._process(taken, given);
    const made = this.buffersOut.map((address) => this.#memory(address, given));
    this.#recent.append(made, given);
    this.#given += given;
  }

  #memory(address: number, frames: number): Float32Array {
    return new Float32Array(this.wasmModule.HEAP8.buffer, address, frames);
  }
}

register(PROCESSOR, StretchProcessor);
