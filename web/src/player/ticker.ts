/** Calls back once per frame while the position moves, with the position in seconds. */

import type { StemPlayer } from "../engine/contract";

type OnTick = (positionS: number) => void;

/** Meters fall back to nothing after a pause. */
const AFTERGLOW_MS = 600;

export class Ticker {
  readonly #player: StemPlayer;
  readonly #callbacks = new Set<OnTick>();
  readonly #unsubscribe: () => void;
  #frame = 0;
  #until = 0;

  constructor(player: StemPlayer) {
    this.#player = player;
    this.#unsubscribe = player.subscribe(() => this.wake());
  }

  add(callback: OnTick): () => void {
    this.#callbacks.add(callback);
    this.wake();
    return () => this.#callbacks.delete(callback);
  }

  /** Tick for a moment, even if nothing plays: something has changed. */
  wake(): void {
    this.#until = performance.now() + AFTERGLOW_MS;
    this.#frame ||= requestAnimationFrame(this.#tick);
  }

  close(): void {
    this.#unsubscribe();
    cancelAnimationFrame(this.#frame);
    this.#callbacks.clear();
  }

  #tick = (now: number): void => {
    const { status } = this.#player.state;
    const isMoving = status === "playing" || status === "waiting";
    this.#frame = isMoving || now < this.#until ? requestAnimationFrame(this.#tick) : 0;
    const positionS = this.#player.position() / this.#player.output.rateHz;
    for (const callback of this.#callbacks) callback(positionS);
  };
}
