/**
 * Turns bytes into samples, and knows how many samples are alive.
 *
 * Every window becomes a buffer of exactly its frames: what a decoder gives before and after it is
 * cut off by copying, so that it does not stay in memory with the window.
 */

const BYTES_PER_SAMPLE = 4;
/** Decoders that run at once: what they give before it is cut must fit into memory as well. */
const DECODERS = 2;

/** Counts the bytes of decoded audio that are alive. */
export class DecodedAudio {
  bytes = 0;
  peak = 0;

  add(bytes: number): void {
    this.bytes += bytes;
    this.peak = Math.max(this.peak, this.bytes);
  }

  remove(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** Bytes that a buffer's samples take. */
export function bytesOf(buffer: AudioBuffer): number {
  return buffer.length * buffer.numberOfChannels * BYTES_PER_SAMPLE;
}

/** Bytes that one frame takes. */
export function frameBytes(channels: number): number {
  return channels * BYTES_PER_SAMPLE;
}

/** Where a window lies in what a decoder gave; negative where the decoder gave too little. */
export type FindWindow = (decodedFrames: number) => number;

/** Decodes at one rate, as many streams at once as memory allows. */
export class Decoder {
  // Needs no gesture of the person, unlike one that plays.
  readonly #context: OfflineAudioContext;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(
    readonly rateHz: number,
    readonly audio: DecodedAudio,
  ) {
    this.#context = new OfflineAudioContext(1, 1, rateHz);
  }

  /** An empty window, counted as alive. */
  window(channels: number, frames: number): AudioBuffer {
    const buffer = new AudioBuffer({
      length: frames,
      numberOfChannels: channels,
      sampleRate: this.rateHz,
    });
    this.audio.add(bytesOf(buffer));
    return buffer;
  }

  /**
   * Decodes a stream and gives `frames` of it, counted as alive; what the stream does not hold of
   * them is silent.
   */
  async decode(
    stream: ArrayBuffer,
    frames: number,
    findWindow: FindWindow,
    signal: AbortSignal,
  ): Promise<AudioBuffer> {
    await this.#turn();
    try {
      signal.throwIfAborted();
      const decoded = await this.#context.decodeAudioData(stream);
      this.audio.add(bytesOf(decoded));
      try {
        signal.throwIfAborted();
        return this.#cut(decoded, frames, findWindow(decoded.length));
      } finally {
        this.audio.remove(bytesOf(decoded));
      }
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#running >= DECODERS) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
  }

  #cut(decoded: AudioBuffer, frames: number, from: number): AudioBuffer {
    const window = this.window(decoded.numberOfChannels, frames);
    for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
      const samples = decoded.getChannelData(channel);
      window.copyToChannel(
        samples.subarray(Math.max(from, 0), from + frames),
        channel,
        -Math.min(from, 0),
      );
    }
    return window;
  }
}
