/** How a file is known again: quickly by its mark, surely by its hash. */

import { Sha256 } from "./sha256";

/** What is read at a time: small enough that the page answers meanwhile. */
const PIECE_BYTES = 1 << 20;

/**
 * Made of a file's length, time and first bytes. Names are left out: recorders number their files
 * anew on every card.
 */
export async function markOf(file: File): Promise<string> {
  const hash = new Sha256();
  hash.update(await piece(file, 0));
  return `${file.size} ${file.lastModified} ${hash.hex()}`;
}

/**
 * SHA-256 of a whole file in hexadecimal.
 *
 * @param onRead Told how many bytes were read.
 */
export async function hashOf(
  file: File,
  signal: AbortSignal,
  onRead: (bytes: number) => void,
): Promise<string> {
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    signal.throwIfAborted();
    hash.update(await piece(file, at));
    onRead(Math.min(at + PIECE_BYTES, file.size));
  }
  return hash.hex();
}

/** Whether a file is as it was when it was chosen; a browser refuses to read one that is not. */
export async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

async function piece(file: File, at: number): Promise<Uint8Array> {
  return new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer());
}
