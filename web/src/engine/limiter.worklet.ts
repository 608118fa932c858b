/** The limiter in the audio thread. */

import { Limiter } from "./limiting";

declare const sampleRate: number;
declare class AudioWorkletProcessor {}
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: { aheadFrames: number } }) => AudioWorkletProcessor,
): void;

class LimiterProcessor extends AudioWorkletProcessor {
  readonly #limiter: Limiter;

  constructor(options: { processorOptions: { aheadFrames: number } }) {
    super();
    this.#limiter = new Limiter(2, options.processorOptions.aheadFrames, sampleRate);
  }

  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    this.#limiter.process(inputs[0] ?? [], outputs[0] ?? []);
    return true;
  }
}

registerProcessor("limiter", LimiterProcessor);
