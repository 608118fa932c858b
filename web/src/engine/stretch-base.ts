/** Gets hold of the package's processor, which would register itself as soon as it is imported. */

/** What an AudioWorklet offers, and TypeScript does not know. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

type Register = (name: string, processor: typeof AudioWorkletProcessor) => void;
declare const registerProcessor: Register;

/** The engine, as WebAssembly. Sizes and positions are in frames; addresses in bytes. */
export interface Engine {
  readonly HEAP8: Int8Array;
  /** Takes so many frames from its input's buffers, puts so many into its output's. */
  _process(taken: number, given: number): void;
}

/** The package's processor: it makes the engine, says `["ready"]`, and answers to `latency`. */
export declare class BaseProcessor extends AudioWorkletProcessor {
  readonly wasmReady: boolean;
  readonly wasmModule: Engine;
  /** Addresses of the engine's buffers, one for each channel. */
  readonly buffersIn: readonly number[];
  readonly buffersOut: readonly number[];
}

/** Registers a processor of ours. */
export const register = registerProcessor;

let taken: typeof BaseProcessor | null = null;

Object.assign(globalThis, {
  registerProcessor: (_name: string, processor: typeof BaseProcessor) => {
    taken = processor;
  },
});

/** The processor of the package that was imported since. */
export function takenProcessor(): typeof BaseProcessor {
  if (!taken) throw new Error("signalsmith-stretch has registered no processor");
  return taken;
}
