/** Trying again: when, and after how long. */

import { ApiError } from "../api/client";
import { onSomebody } from "../api/nobody";

const FIRST_S = 0.5;
const LONGEST_S = 30;
const TRIES = 5;
/** Nothing is wrong with what was sent: line, disk or service are to blame, and may come back. */
const PASSING = new Set([408, 429, 502, 503, 504, 507]);
/** The same, for programs: whoever was signed out can sign in again in another tab. */
const PASSING_CODES = new Set(["unreachable", "unauthenticated"]);

/** Whether the same may succeed later, however long that takes. */
export function isPassing(error: unknown): error is ApiError {
  return error instanceof ApiError && (PASSING_CODES.has(error.code) || PASSING.has(error.status));
}

/** Pauses between tries, each twice as long as the one before, up to half a minute. */
export class Pauses {
  /** Tries in a row that came to nothing. */
  tries = 0;

  /** How long to pause now, in seconds; never less than the service asks for. */
  next(error: ApiError): number {
    const grown = Math.min(LONGEST_S, FIRST_S * 2 ** this.tries);
    this.tries += 1;
    const spread = 0.75 + Math.random() / 2; // many pages must not come back at one moment
    return Math.max(grown * spread, error.retryAfterS ?? 0);
  }

  /** Whether there is a sense in trying once more. */
  allows(error: unknown): error is ApiError {
    return isPassing(error) || (error instanceof ApiError && error.retryable && this.tries < TRIES);
  }

  /** Something succeeded. */
  reset(): void {
    this.tries = 0;
  }
}

/** Wait; less if the network, or a sign-in, comes back meanwhile. Throws if it is given up. */
export function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (finish: () => void) => () => {
      clearTimeout(timer);
      removeEventListener("online", over);
      stopListening();
      signal.removeEventListener("abort", given);
      finish();
    };
    const over = end(resolve);
    const given = end(() => reject(signal.reason));
    const timer = setTimeout(over, seconds * 1000);
    const stopListening = onSomebody(over);
    if (signal.aborted) return given();
    addEventListener("online", over);
    signal.addEventListener("abort", given);
  });
}

/**
 * Make a call until it succeeds or cannot.
 *
 * @param onHeld Told why it has to wait, and null once it need not any more.
 */
export async function persistently<Result>(
  call: () => Promise<Result>,
  signal: AbortSignal,
  onHeld: (error: ApiError | null) => void,
): Promise<Result> {
  const pauses = new Pauses();
  for (;;) {
    signal.throwIfAborted();
    try {
      const result = await call();
      onHeld(null);
      return result;
    } catch (error) {
      if (!pauses.allows(error)) throw error;
      onHeld(error);
      await pause(pauses.next(error), signal);
    }
  }
}
