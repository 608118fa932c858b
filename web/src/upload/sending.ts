/** The parts of a file on their way: through the service, or by links past it into a bucket. */

import { ApiError, type Upload } from "../api/client";
import { isReadable } from "./mark";
import { Pauses, pause, persistently } from "./pauses";
import { put } from "./put";
import { addressOf, complete, look } from "./service";
import type { Watch } from "./watch";

/** Parts that are sent at a time, so that the line is busy while the service writes one down. */
const AT_ONCE = 2;
/** A bucket that refuses so often in a row, while the service answers, goes on doing so. */
const BUCKET_TRIES = 6;

export class Sending {
  private readonly stop = new AbortController();
  private readonly signal: AbortSignal;
  private readonly etags: Record<string, string> = {};
  /** Bytes that are sent of parts that are not there yet. */
  private readonly underWay = new Map<number, number>();
  /** Parts that are at work, and why they wait. */
  private readonly atWork = new Map<number, ApiError | null>();
  private readonly received: Set<number>;

  constructor(
    private readonly file: File,
    private readonly upload: Upload,
    private readonly watch: Watch,
  ) {
    this.signal = AbortSignal.any([watch.signal, this.stop.signal]);
    this.received = new Set(upload.received);
  }

  /** Send what is missing, however often the line breaks. */
  async run(): Promise<void> {
    this.tell();
    const numbers = Array.from({ length: this.upload.parts }, (_, i) => i + 1);
    const missing = numbers.filter((part) => !this.received.has(part)).values();
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.sendEach(missing)));
    } finally {
      this.stop.abort();
    }
  }

  /** End the upload, all parts being there. */
  complete(): Promise<Upload> {
    return complete(this.upload.upload_id, this.etags);
  }

  private async sendEach(parts: Iterable<number>): Promise<void> {
    for (const part of parts) await this.sendPart(part);
  }

  private async sendPart(part: number): Promise<void> {
    const pauses = new Pauses();
    this.hold(part, null);
    while (!this.received.has(part)) {
      try {
        await this.putPart(part);
        this.received.add(part);
      } catch (error) {
        await this.recover(part, error, pauses);
      } finally {
        this.underWay.delete(part);
        this.tell();
      }
    }
    this.atWork.delete(part);
    this.tellHeld();
  }

  private async putPart(part: number): Promise<void> {
    const { part_bytes: length } = this.upload;
    const body = this.file.slice((part - 1) * length, part * length);
    const url = await addressOf(this.upload, part, this.signal);
    const etag = await put({ url, body }, this.signal, (bytes) => {
      this.underWay.set(part, bytes);
      this.tell();
    });
    if (etag) this.etags[part] = etag;
  }

  /** Wait, and ask what is there: the answer may have been lost, not the part. */
  private async recover(part: number, error: unknown, pauses: Pauses): Promise<void> {
    this.signal.throwIfAborted();
    if (!(await isReadable(this.file)))
      throw new ApiError("file_unreadable", "The browser cannot read the file any more.", false, 0);
    if (!this.allows(error, pauses)) throw error;
    this.hold(part, error);
    await pause(pauses.next(error), this.signal);
    const asked = () => look(this.upload.upload_id, this.signal);
    const upload = await persistently(asked, this.signal, (held) => this.hold(part, held));
    for (const each of upload.received) this.received.add(each);
  }

  private allows(error: unknown, pauses: Pauses): error is ApiError {
    const isOfBucket =
      this.upload.method === "presigned" &&
      error instanceof ApiError &&
      (error.code === "unknown" || error.code === "unreachable");
    if (!isOfBucket) return pauses.allows(error);
    if (pauses.tries < BUCKET_TRIES) return true; // a fresh link, or a fresh upload, may do
    throw new ApiError("bucket_refuses", error.detail, false, error.status);
  }

  private hold(part: number, error: ApiError | null): void {
    this.atWork.set(part, error);
    this.tellHeld();
  }

  /** It stands still only if all parts do. */
  private tellHeld(): void {
    const reasons = [...this.atWork.values()];
    const [first] = reasons;
    if (first !== undefined) this.watch.onHeld(reasons.every(Boolean) ? first : null);
  }

  private tell(): void {
    const { part_bytes: length, parts, size_bytes } = this.upload;
    let bytes = 0;
    for (const part of this.received)
      bytes += part < parts ? length : size_bytes - (parts - 1) * length;
    for (const [part, sent] of this.underWay) if (!this.received.has(part)) bytes += sent;
    this.watch.onBytes(Math.min(bytes, size_bytes));
  }
}
