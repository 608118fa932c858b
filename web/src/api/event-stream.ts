/** The service's stream of events: one connection, opened again whenever it breaks. */

import type { Job } from "./client";
import { onSomebody } from "./nobody";

/** What the service tells: `hello` and `reset` mean that everything is to be listed anew. */
export type ServiceEvent =
  | { readonly kind: "hello" | "reset" }
  | { readonly kind: "job"; readonly job: Job }
  | { readonly kind: "recording" | "output"; readonly id: string; readonly isDeleted: boolean };

export interface EventListener {
  /**
   * @param event What changed.
   * @param number Of the last event that is known by now; whoever goes on from it misses nothing.
   */
  onEvent(event: ServiceEvent, number: string | null): void;
  /** Called when events begin to arrive, and when they cannot any more. */
  onOpen(isOpen: boolean): void;
}

const PATH = "/api/events";
const KINDS = ["hello", "reset", "job", "recording", "output"] as const;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const LOOK_EVERY_MS = 10_000;
/** Timers of a page in the background run once a minute; what is longer was a sleep. */
const SLEPT_MS = 90_000;

/**
 * The browser comes back by itself after a break, with the last number that it knows. What it does
 * not see to is here: a refusal, which it takes for the end, and a line that is silently dead, as
 * after a sleep of the machine.
 */
export class EventStream {
  #source: EventSource | null = null;
  #number: string | null;
  #isOpen: boolean | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #again: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setInterval> | undefined;
  #stopListening: (() => void) | undefined;
  #heardAtMs = 0;
  #lookedAtMs = 0;

  /**
   * @param listener Who is told.
   * @param number The last event that is known, null to begin with `hello`.
   * @param quietMs How long nothing may come before the line counts as dead.
   */
  constructor(
    private readonly listener: EventListener,
    number: string | null,
    private readonly quietMs: () => number,
  ) {
    this.#number = number;
  }

  open(): void {
    this.#connect();
    this.#lookedAtMs = Date.now();
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
    addEventListener("online", this.#reconnect);
    this.#stopListening = onSomebody(this.#reconnect);
    document.addEventListener("visibilitychange", this.#onVisible);
  }

  close(): void {
    clearInterval(this.#looking);
    clearTimeout(this.#again);
    removeEventListener("online", this.#reconnect);
    this.#stopListening?.();
    document.removeEventListener("visibilitychange", this.#onVisible);
    this.#source?.close();
    this.#source = null;
  }

  #connect(): void {
    const after = this.#number === null ? "" : `?last_event_id=${encodeURIComponent(this.#number)}`;
    const source = new EventSource(PATH + after);
    this.#source = source;
    this.#heardAtMs = Date.now();
    // A first stream proves itself by its `hello`: something between may hold back what is sent.
    source.onopen = () => this.#number !== null && this.#tell(true);
    source.onerror = () => {
      this.#tell(false);
      if (source.readyState === EventSource.CLOSED) this.#connectLater();
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => this.#take(kind, message));
    }
  }

  #connectLater(): void {
    clearTimeout(this.#again);
    this.#again = setTimeout(this.#reconnect, this.#pauseMs * (0.75 + Math.random() / 2));
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  readonly #reconnect = (): void => {
    clearTimeout(this.#again);
    this.#source?.close();
    this.#connect();
  };

  #take(kind: (typeof KINDS)[number], message: MessageEvent<string>): void {
    this.#heardAtMs = Date.now();
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#number = message.lastEventId || this.#number;
    this.#tell(true);
    const event = parseEvent(kind, message.data);
    if (event) this.listener.onEvent(event, this.#number);
  }

  #tell(isOpen: boolean): void {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    this.listener.onOpen(isOpen);
  }

  #look(): void {
    const nowMs = Date.now();
    const slept = nowMs - this.#lookedAtMs > SLEPT_MS;
    this.#lookedAtMs = nowMs;
    const isUp = this.#source?.readyState === EventSource.OPEN;
    if (isUp && (slept || nowMs - this.#heardAtMs > this.quietMs())) this.#reconnect();
  }

  readonly #onVisible = (): void => {
    if (document.visibilityState === "visible") this.#look();
  };
}

/** An event as it was sent; null for what this version cannot read. */
export function parseEvent(kind: (typeof KINDS)[number], data: string): ServiceEvent | null {
  if (kind === "hello" || kind === "reset") return { kind };
  let told: unknown;
  try {
    told = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof told !== "object" || told === null) return null;
  if (kind === "job") return isJob(told) ? { kind, job: told } : null;
  if (!("id" in told) || typeof told.id !== "string") return null;
  return { kind, id: told.id, isDeleted: "deleted" in told && told.deleted === true };
}

function isJob(told: object): told is Job {
  return "job_id" in told && "state" in told && "progress" in told && "created_at" in told;
}
