/** What went wrong with a file, in plain words, and what to do. */

import { ApiError } from "../api/client";

export interface Problem {
  /** What happened and why. */
  readonly what: string;
  /** What to do; null where nothing can be done. */
  readonly next: string | null;
  /** The service's own words, where they hold figures. */
  readonly detail: string | null;
  /** Whether the same file may be taken another time. */
  readonly canRetry: boolean;
}

const EXPORT = "Open it where it was made, export it as WAV, FLAC or MP3, and choose that file.";
const COPY = "Copy it from the recorder or phone again and choose the copy.";

/** What and what to do, by the code of the error. */
const REFUSED: Record<string, readonly [string, string | null]> = {
  input_empty: ["It holds no sound at all.", COPY],
  audio_unsupported: ["It is no audio or video file that Stemset can read.", EXPORT],
  audio_no_track: ["It has no sound track that Stemset can read.", EXPORT],
  audio_corrupt: ["It is damaged: its sound cannot be decoded.", COPY],
  audio_truncated: ["It is cut off: it ends before it says it does.", COPY],
  audio_channels: ["It has too many channels.", "Mix it down to 8 channels or fewer."],
  audio_rate: ["Its sample rate is not one that Stemset handles.", EXPORT],
  audio_too_long: ["It is too long.", "Cut it into shorter files and choose those."],
  decoder_failed: ["Reading it takes more than Stemset allows.", EXPORT],
  decoder_crashed: ["Reading it broke off.", "Try it once more, or export it anew."],
  upload_too_large: ["It is too large.", "Save it as FLAC, or cut it into shorter files."],
  request_too_large: [
    "A server in front of Stemset refuses parts of this size.",
    "Ask who runs it to allow request bodies of 16 MB.",
  ],
  file_unreadable: [
    "The browser can no longer read it: it was changed, moved or removed.",
    "Choose it again.",
  ],
  profile_unknown: [
    "Its profile is not there any more.",
    "Choose another profile and add it again.",
  ],
  forbidden: ["You may not add recordings here, or not with this profile.", "Ask who runs it."],
  origin_refused: [
    "The service does not know this page's address.",
    "Open the page at the service's own address, or ask who runs it to set BACKEND_URL.",
  ],
  quota_exceeded: [
    "Its profile has no room left.",
    "Delete recordings or stems that nobody needs.",
  ],
  output_name_taken: [
    "Another recording's stems have its name.",
    "Rename the file and add it again.",
  ],
};

/** As `REFUSED`, of what may be otherwise at the next try. */
const MAY_PASS: Record<string, readonly [string, string | null]> = {
  upload_mismatch: ["What arrived is not the file as it was read.", "Try again."],
  bucket_refuses: [
    "The storage refuses it, or does not allow this page to send there.",
    "Try again; if it stays so, ask who runs it to check the bucket's CORS rules.",
  ],
};

const WITH_FIGURES = new Set([
  "audio_channels",
  "audio_rate",
  "audio_too_long",
  "upload_too_large",
  "audio_no_track",
  "forbidden",
  "quota_exceeded",
]);

/** Somebody can do something about it, and then the same file is taken. */
const NEEDS_OTHERS = new Set(["forbidden", "request_too_large", "quota_exceeded"]);

/** Why a file was not taken. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof ApiError)) {
    const what = "Something went wrong in this page.";
    return { what, next: "Try again, or reload the page.", detail: String(error), canRetry: true };
  }
  const code = error.status === 413 && error.code === "unknown" ? "request_too_large" : error.code;
  const passing = MAY_PASS[code];
  const told = passing ?? REFUSED[code];
  if (!told) {
    const what = "The service could not take it.";
    return { what, next: "Try again.", detail: quotable(error), canRetry: true };
  }
  const [what, next] = told;
  const detail = WITH_FIGURES.has(code) ? error.detail : null;
  return { what, next, detail, canRetry: passing !== undefined || NEEDS_OTHERS.has(code) };
}

/** The service's own words, with the id of the call, by which its log is searched. */
function quotable({ detail, requestId }: ApiError): string {
  return requestId && !detail.includes(requestId) ? `${detail} (${requestId})` : detail;
}

/** A file that is not even begun. */
export function refused(what: string): Problem {
  return { what, next: null, detail: null, canRetry: false };
}

/** Why an upload stands still for now; it goes on by itself. */
export function reasonOf(held: ApiError): string {
  if (held.code === "no_space")
    return "The service's disk is full. It goes on by itself once there is room: delete recordings that nobody needs.";
  if (held.code === "service_busy")
    return "The service takes no more uploads just now. It goes on by itself; if it stays so, remove uploads that were broken off.";
  if (held.code === "unauthenticated")
    return "This page is not signed in. It goes on by itself once you sign in, or pair this device.";
  if (held.code === "unreachable")
    return navigator.onLine
      ? "The service does not answer. It goes on by itself once it does."
      : "You are offline. It goes on by itself once you are online.";
  return "The service cannot take it just now. It goes on by itself.";
}
