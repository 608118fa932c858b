/**
 * Reads parts of files over HTTP.
 *
 * What may pass (a lost connection, a busy server) is tried again; an address that has ended is
 * replaced by a fresh one, once for all files of an output.
 */

import type { MediaFile, PlayableOutput } from "./contract";
import { PlaybackError } from "./failure";

const TRIES = 5;
const FIRST_WAIT_MS = 200;
/** A connection that gives nothing for so long is taken for lost. */
const PATIENCE_MS = 20_000;

/** Counts what is fetched. */
export class Meter {
  requests = 0;
  fetchedBytes = 0;
}

/** The addresses of an output's files, which end and are replaced all together. */
export class Addresses {
  #renewing: Promise<void> | null = null;

  constructor(private output: PlayableOutput) {}

  get current(): PlayableOutput {
    return this.output;
  }

  /** Get fresh addresses, unless those that were `seen` to have ended are replaced already. */
  renew(seen: PlayableOutput): Promise<void> {
    if (seen !== this.output) return Promise.resolve();
    this.#renewing ??= this.output
      .renew()
      .then((fresh) => {
        this.output = fresh;
      })
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }
}

/** Finds one file in an output. */
export type Locate = (output: PlayableOutput) => MediaFile;

/** A file that is read in parts. */
export class RangedFile {
  readonly bytes: number;

  constructor(
    private readonly addresses: Addresses,
    private readonly locate: Locate,
    private readonly meter: Meter,
  ) {
    this.bytes = locate(addresses.current).bytes;
  }

  /** The bytes from `from` up to, but without, `to`. Throws `PlaybackError`. */
  async read(from: number, to: number, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    if (from >= to) return new Uint8Array(0);
    let hasRenewed = false;
    for (let tries = 1; ; tries += 1) {
      const output = this.addresses.current;
      const answer = await this.#try(this.locate(output).url, from, to, signal);
      if (answer instanceof Uint8Array) return answer;
      if (answer.isRefused && !hasRenewed) {
        hasRenewed = true;
        await this.addresses.renew(output);
      } else if (answer.isPassing && tries < TRIES) {
        await pause(FIRST_WAIT_MS * 2 ** (tries - 1) * (0.75 + Math.random() / 2), signal);
      } else {
        throw new PlaybackError(answer.message);
      }
    }
  }

  async #try(
    url: string,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer> | Refusal> {
    signal.throwIfAborted();
    this.meter.requests += 1;
    // Not `AbortSignal.timeout`: it would keep what was fetched alive until its time is up.
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    try {
      const response = await fetch(url, {
        headers: { Range: `bytes=${from}-${to - 1}` },
        signal: AbortSignal.any([signal, patience.signal]),
      });
      if (!response.ok) return refusalOf(response.status);
      const isWhole = from === 0 && to >= this.bytes;
      if (response.status !== 206 && !isWhole) {
        await response.body?.cancel();
        return lasting("The server does not give out parts of files, which playing needs.");
      }
      const body = new Uint8Array(await response.arrayBuffer());
      this.meter.fetchedBytes += body.length;
      return body.length === to - from ? body : passing("A part of a file came incomplete.");
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TypeError || error instanceof DOMException) {
        return passing("The connection to the recording was lost. Try again once you are online.");
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Refusal {
  readonly message: string;
  /** The address may have ended. */
  readonly isRefused: boolean;
  /** The same request may succeed later. */
  readonly isPassing: boolean;
}

function refusalOf(status: number): Refusal {
  if (status === 403 || status === 410) {
    return {
      message: "The recording may not be read any more.",
      isRefused: true,
      isPassing: false,
    };
  }
  if (status === 408 || status === 429 || status >= 500) {
    return passing(`The recording cannot be read at the moment (status ${status}).`);
  }
  return lasting(
    status === 404
      ? "The recording is not there any more."
      : `The recording cannot be read (status ${status}).`,
  );
}

function passing(message: string): Refusal {
  return { message, isRefused: false, isPassing: true };
}

function lasting(message: string): Refusal {
  return { message, isRefused: false, isPassing: false };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
