/** Putting one part of a file: `fetch` tells nothing of how far a body is, XMLHttpRequest does. */

import { ApiError, errorOf } from "../api/client";

/** A line that moves nothing for so long is taken for dead. */
const SILENCE_MS = 60_000;

export interface Part {
  readonly url: string;
  readonly body: Blob;
}

/**
 * Put a part; gives its ETag, if the answer shows one.
 *
 * @param onSent Told how many bytes of it are sent.
 */
export function put(
  part: Part,
  signal: AbortSignal,
  onSent: (bytes: number) => void,
): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const silence = new Alarm(SILENCE_MS, () => request.abort());
    const give = () => request.abort();
    const settle = (finish: () => void) => () => {
      silence.stop();
      signal.removeEventListener("abort", give);
      finish();
    };
    request.open("PUT", part.url);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      silence.restart();
      onSent(event.loaded);
    });
    request.addEventListener(
      "load",
      settle(() => {
        if (request.status >= 300) return reject(refusal(request));
        onSent(part.body.size);
        resolve(request.getResponseHeader("etag"));
      }),
    );
    request.addEventListener(
      "error",
      settle(() => reject(unreachable())),
    );
    request.addEventListener(
      "abort",
      settle(() => reject(signal.aborted ? signal.reason : unreachable())),
    );
    signal.throwIfAborted();
    signal.addEventListener("abort", give);
    silence.restart();
    request.send(part.body);
  });
}

function unreachable(): ApiError {
  return new ApiError("unreachable", "The service does not answer.", true, 0);
}

function refusal(request: XMLHttpRequest): ApiError {
  const wait = request.getResponseHeader("retry-after");
  const headers = wait ? { "retry-after": wait } : undefined;
  const { status } = request;
  return errorOf(new Response(null, headers ? { status, headers } : { status }), body(request));
}

function body(request: XMLHttpRequest): unknown {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return null; // a bucket answers in XML, a proxy in HTML
  }
}

/** Rings unless it is started anew in time. */
class Alarm {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly afterMs: number,
    private readonly ring: () => void,
  ) {}

  restart(): void {
    this.stop();
    this.timer = setTimeout(this.ring, this.afterMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
