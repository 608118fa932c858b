/**
 * One stream of events for all tabs of a browser, which allows a server few connections at once.
 *
 * The tab that holds a lock has the stream and hands on what it hears; the others wait for the
 * lock, which is free once that tab is closed. A tab may hold it and yet be stopped by the system,
 * so the others ask now and then, and take the lock from one that does not reply.
 */

import { type EventListener, EventStream, type ServiceEvent } from "./event-stream";

type Word =
  | { readonly kind: "event"; readonly event: ServiceEvent; readonly number: string | null }
  | { readonly kind: "state"; readonly isOpen: boolean; readonly number: string | null }
  | { readonly kind: "ask" };

const NAME = "stemset.events";
const ASK_EVERY_MS = 20_000;
const REPLY_WITHIN_MS = 4000;

/**
 * Follow events until the function that is returned is called.
 *
 * @param listener Who is told.
 * @param quietMs How long nothing may come before the stream counts as dead.
 */
export function followEvents(listener: EventListener, quietMs: () => number): () => void {
  // Pages that did not come over https have no locks: each of their tabs has its own stream.
  if (!("locks" in navigator) || !("BroadcastChannel" in globalThis)) {
    const stream = new EventStream(listener, null, quietMs);
    stream.open();
    return () => stream.close();
  }
  const sharing = new Sharing(listener, quietMs);
  sharing.begin();
  return () => sharing.end();
}

class Sharing {
  readonly #channel = new BroadcastChannel(NAME);
  #stream: EventStream | null = null;
  #isOpen = false;
  #number: string | null = null;
  #waiting = new AbortController();
  #stopLeading: (() => void) | null = null;
  #asking: ReturnType<typeof setInterval> | undefined;
  #unanswered: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly listener: EventListener,
    private readonly quietMs: () => number,
  ) {}

  begin(): void {
    this.#channel.onmessage = (message: MessageEvent<Word>) => this.#hear(message.data);
    this.#waitForLock();
    this.#ask();
    this.#asking = setInterval(() => this.#ask(), ASK_EVERY_MS);
    document.addEventListener("visibilitychange", this.#onVisible);
  }

  end(): void {
    clearInterval(this.#asking);
    clearTimeout(this.#unanswered);
    document.removeEventListener("visibilitychange", this.#onVisible);
    this.#waiting.abort();
    this.#stopLeading?.();
    this.#channel.close();
  }

  #waitForLock(): void {
    this.#request({ signal: this.#waiting.signal });
  }

  #takeLock(): void {
    this.#waiting.abort();
    this.#waiting = new AbortController();
    this.#request({ steal: true });
  }

  #request(options: LockOptions): void {
    const { signal } = this.#waiting;
    navigator.locks
      .request(NAME, options, () => (signal.aborted ? undefined : this.#lead()))
      .catch(() => {
        if (!signal.aborted) this.#giveWay();
      });
  }

  /** Have the stream for as long as the lock is held, which is until the promise is kept. */
  #lead(): Promise<void> {
    clearTimeout(this.#unanswered);
    const stream = new EventStream(
      {
        onEvent: (event, number) => {
          this.#say({ kind: "event", event, number });
          this.#pass(event, number);
        },
        onOpen: (isOpen) => {
          this.#say({ kind: "state", isOpen, number: this.#number });
          this.#note(isOpen);
        },
      },
      this.#number,
      this.quietMs,
    );
    this.#stream = stream;
    stream.open();
    return new Promise((resolve) => {
      this.#stopLeading = () => {
        stream.close();
        this.#stream = null;
        this.#stopLeading = null;
        resolve();
      };
    });
  }

  /** Another tab has taken the lock: be one that waits again. */
  #giveWay(): void {
    this.#stopLeading?.();
    this.#waitForLock();
  }

  #ask(): void {
    if (this.#stream) return;
    clearTimeout(this.#unanswered);
    this.#say({ kind: "ask" });
    this.#unanswered = setTimeout(() => {
      if (!this.#stream) this.#takeLock();
    }, REPLY_WITHIN_MS);
  }

  #hear(word: Word): void {
    if (word.kind === "ask") {
      if (this.#stream) {
        this.#say({ kind: "state", isOpen: this.#isOpen, number: this.#number });
      }
      return;
    }
    if (this.#stream) return; // the last words of a tab that had the lock before
    clearTimeout(this.#unanswered);
    if (word.kind === "state") {
      this.#number = word.number;
      this.#note(word.isOpen);
    } else {
      this.#note(true);
      this.#pass(word.event, word.number);
    }
  }

  #pass(event: ServiceEvent, number: string | null): void {
    this.#number = number;
    this.listener.onEvent(event, number);
  }

  #note(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.listener.onOpen(isOpen);
  }

  #say(word: Word): void {
    this.#channel.postMessage(word);
  }

  readonly #onVisible = (): void => {
    if (document.visibilityState === "visible") this.#ask();
  };
}
