/** Why something cannot be played, in words for people. */

export class PlaybackError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PlaybackError";
  }
}

/** Whether a piece of work ended because nobody wants it any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What a person is told of any error. */
export function toldOf(error: unknown): string {
  return error instanceof PlaybackError ? error.message : `Playing failed: ${String(error)}`;
}
