/** Windows of all stems: loaded together, and kept while somebody plays them. */

import { bytesOf, type DecodedAudio, frameBytes } from "./decoding";
import type { StemReader } from "./reader";
import type { Piece } from "./schedule";

/** The same frames of all stems. */
export interface Window extends Piece {
  readonly buffers: readonly AudioBuffer[];
  readonly bytes: number;
}

export class Windows {
  /** Bytes that one frame of all stems takes. */
  readonly frameBytes: number;
  /** Called when a window has gone. */
  onFreed: () => void = () => {};
  readonly #users = new Map<Window, number>();

  constructor(
    private readonly readers: readonly StemReader[],
    private readonly audio: DecodedAudio,
  ) {
    this.frameBytes = readers.reduce((sum, reader) => sum + frameBytes(reader.channels), 0);
  }

  /** Bytes of all windows that are kept. */
  get bytes(): number {
    return [...this.#users.keys()].reduce((sum, window) => sum + window.bytes, 0);
  }

  /** A window that is kept and holds at least `least` frames from `start` on; one more uses it. */
  find(start: number, least: number): Window | null {
    for (const [window, users] of this.#users) {
      if (window.start <= start && start + least <= window.start + window.frames) {
        this.#users.set(window, users + 1);
        return window;
      }
    }
    return null;
  }

  /** Loads the same frames of all stems. They are kept until they are let go. */
  async load({ start, frames }: Piece, signal: AbortSignal): Promise<Window> {
    const loading = this.readers.map((reader) => reader.read(start, frames, signal));
    const results = await Promise.allSettled(loading);
    const buffers = results.flatMap((result) =>
      result.status === "fulfilled" ? [result.value] : [],
    );
    const bytes = buffers.reduce((sum, buffer) => sum + bytesOf(buffer), 0);
    const failed = results.find((result) => result.status === "rejected");
    if (failed) {
      this.audio.remove(bytes);
      throw failed.reason;
    }
    const window: Window = { start, frames, buffers, bytes };
    this.#users.set(window, 1);
    return window;
  }

  /** One fewer uses a window; it goes with the last. */
  letGo(window: Window): void {
    const users = (this.#users.get(window) ?? 0) - 1;
    if (users > 0) {
      this.#users.set(window, users);
    } else if (this.#users.delete(window)) {
      this.audio.remove(window.bytes);
      this.onFreed();
    }
  }
}
