/** Whether the page hears from the service, and how. */

import { useSyncExternalStore } from "react";

/**
 * `live`: changes arrive as they are made. `polling`: the page has to ask for them. `lost`: the
 * service does not answer.
 */
export type Connection = "live" | "polling" | "lost";

/** A stream that breaks and is back within this time is not worth a word. */
const GRACE_MS = 3000;

/** How the connection stands, put together from what the stream and the calls find. */
export class ConnectionState {
  #isStreaming = false;
  #isGivenGrace = true;
  #isAnswered = true;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #current: Connection = "live";
  readonly #listeners = new Set<() => void>();

  readonly current = (): Connection => this.#current;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Note whether the stream of events is open. */
  noteStream(isOpen: boolean): void {
    this.#isStreaming = isOpen;
    clearTimeout(this.#grace);
    this.#isGivenGrace = !isOpen && this.#current === "live";
    if (this.#isGivenGrace) {
      this.#grace = setTimeout(() => {
        this.#isGivenGrace = false;
        this.#settle();
      }, GRACE_MS);
    }
    this.#settle();
  }

  /** Note whether a call was answered. */
  noteAnswer(isAnswered: boolean): void {
    this.#isAnswered = isAnswered;
    this.#settle();
  }

  #settle(): void {
    const isLive = this.#isStreaming || this.#isGivenGrace;
    const next = isLive ? "live" : this.#isAnswered ? "polling" : "lost";
    if (next === this.#current) return;
    this.#current = next;
    for (const listener of this.#listeners) listener();
  }
}

export const connection = new ConnectionState();

export function useConnection(): Connection {
  return useSyncExternalStore(connection.subscribe, connection.current);
}
