/** All files that this page sends: some at a time, the others in turn. */

import type { ApiError } from "../api/client";
import { looksLikeAudio, refusalOf } from "./checks";
import { Estimate } from "./estimate";
import type { Finished } from "./finish";
import { markOf } from "./mark";
import { persistently } from "./pauses";
import { type Problem, problemOf, refused } from "./problem";
import { abort } from "./service";
import { transfer } from "./transfer";
import type { Stage, Watch } from "./watch";

/** A file's row; a new object with each change. */
export interface UploadItem {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  readonly profile: string;
  readonly stage: "waiting" | Stage | "given" | "failed";
  readonly isPaused: boolean;
  /** Bytes that are read (`reading`), or that are sent. */
  readonly doneBytes: number;
  readonly bytesPerSecond: number | null;
  readonly leftS: number | null;
  /** Its name does not look like audio; it is tried all the same. */
  readonly looksOdd: boolean;
  /** Why it stands still for now. */
  readonly held: ApiError | null;
  /** Why it failed. */
  readonly problem: Problem | null;
  /** What became of it. */
  readonly finished: Finished | null;
}

export interface Chosen {
  readonly file: File;
  readonly profile: string;
  /** The upload that it seems to go on with. */
  readonly uploadId: string | null;
}

/** Does what is to be done for a row; null if that turns out to be nothing. */
type Work = (watch: Watch) => Promise<Finished | null>;

interface Entry {
  item: UploadItem;
  readonly file: File | null;
  readonly work: Work;
  readonly estimate: Estimate;
  uploadId: string | null;
  bytes: number;
  run: AbortController | null;
  isCancelled: boolean;
}

/** More would only make each slower; a second one fills the gaps while the first is read. */
const FILES_AT_ONCE = 2;
const TICK_MS = 250;

export class UploadQueue {
  private entries: readonly Entry[] = [];
  private shown: readonly UploadItem[] = [];
  private readonly listeners = new Set<() => void>();
  /** Uploads that rows of this page were at, those whose rows are gone included. */
  private readonly known = new Set<string>();
  private ticking: ReturnType<typeof setInterval> | null = null;
  private count = 0;

  /** @param lingerMs How long a row stays once its file is given to a job. */
  constructor(private readonly lingerMs = 8000) {}

  /** All rows; the same array between changes. */
  readonly items = (): readonly UploadItem[] => this.shown;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Add files; returns how many are in the list already. */
  async add(chosen: readonly Chosen[]): Promise<number> {
    let repeated = 0;
    for (const each of chosen) {
      const twin = await this.twinOf(each.file);
      if (twin?.item.stage === "failed") this.drop(twin);
      else if (twin) {
        repeated += 1;
        continue;
      }
      this.addOne(each);
    }
    this.startNext();
    return repeated;
  }

  /** Add what needs no file any more. */
  addWork(row: { name: string; bytes: number; profile: string; uploadId: string }, work: Work) {
    this.insert({ ...row, file: null }, work);
    this.startNext();
  }

  /** Whether a row of this page is, or was, at an upload. */
  holds(uploadId: string): boolean {
    return this.known.has(uploadId) || this.entries.some((each) => each.uploadId === uploadId);
  }

  pause(id: number): void {
    const entry = this.find(id);
    if (!entry || !canPause(entry.item)) return;
    const doneBytes = entry.item.stage === "reading" ? 0 : entry.item.doneBytes;
    this.stop(entry);
    this.change(entry, { stage: "waiting", isPaused: true, doneBytes });
    this.startNext();
  }

  resume(id: number): void {
    const entry = this.find(id);
    if (!entry?.item.isPaused) return;
    this.change(entry, { isPaused: false });
    this.startNext();
  }

  /** Try a failed one again. */
  retry(id: number): void {
    const entry = this.find(id);
    if (entry?.item.stage !== "failed") return;
    this.change(entry, { stage: "waiting", problem: null, doneBytes: 0 });
    this.startNext();
  }

  /** Take a row away; what was sent of it is removed at the service, unless it is complete. */
  cancel(id: number): void {
    const entry = this.find(id);
    if (!entry) return;
    entry.isCancelled = true;
    this.stop(entry);
    this.drop(entry);
    if (entry.uploadId && entry.item.stage !== "given") this.removeAtService(entry.uploadId);
    this.startNext();
  }

  private addOne({ file, profile, uploadId }: Chosen): void {
    const { name, size: bytes } = file;
    const entry = this.insert({ name, bytes, profile, uploadId, file }, (watch) =>
      transfer(file, profile, watch),
    );
    const refusal = refusalOf(file);
    if (refusal) this.change(entry, { stage: "failed", problem: refused(refusal) });
  }

  private insert(
    row: Pick<UploadItem, "name" | "bytes" | "profile"> & Pick<Entry, "file" | "uploadId">,
    work: Work,
  ): Entry {
    const { name, bytes, profile, file, uploadId } = row;
    this.count += 1;
    const item: UploadItem = {
      id: this.count,
      name,
      bytes,
      profile,
      stage: "waiting",
      isPaused: false,
      doneBytes: 0,
      bytesPerSecond: null,
      leftS: null,
      looksOdd: file !== null && !looksLikeAudio(file),
      held: null,
      problem: null,
      finished: null,
    };
    const state = { bytes: 0, run: null, isCancelled: false };
    const entry: Entry = { item, file, work, uploadId, estimate: new Estimate(), ...state };
    this.entries = [...this.entries, entry];
    this.show();
    return entry;
  }

  private startNext(): void {
    for (const entry of this.entries) {
      const busy = this.entries.filter(({ run, item }) => run && item.stage !== "checking");
      if (busy.length >= FILES_AT_ONCE) return;
      if (entry.item.stage === "waiting" && !entry.item.isPaused && !entry.run) this.run(entry);
    }
  }

  private async run(entry: Entry): Promise<void> {
    const run = new AbortController();
    entry.run = run;
    entry.estimate.reset();
    this.tick();
    try {
      const finished = await entry.work(this.watch(entry, run));
      if (entry.run === run) this.end(entry, finished);
    } catch (error) {
      if (entry.run !== run) return; // paused or cancelled
      entry.run = null;
      this.change(entry, { stage: "failed", problem: problemOf(error), ...STILL });
    }
    this.startNext();
  }

  private watch(entry: Entry, run: AbortController): Watch {
    const change = (changes: Partial<UploadItem>) => {
      if (entry.run === run) this.change(entry, changes);
    };
    return {
      signal: run.signal,
      onStage: (stage) => {
        entry.bytes = stage === "checking" ? entry.item.bytes : 0;
        change({ stage, doneBytes: entry.bytes, ...STILL });
        if (stage === "checking") this.startNext();
      },
      onBegun: (uploadId) => {
        entry.uploadId = uploadId;
        this.known.add(uploadId);
        if (entry.isCancelled) this.removeAtService(uploadId);
        this.show();
      },
      onBytes: (bytes) => {
        entry.bytes = bytes;
      },
      onHeld: (held) => {
        if (held) entry.estimate.reset();
        if (held !== entry.item.held)
          change(held ? { held, bytesPerSecond: null, leftS: null } : { held });
      },
    };
  }

  private end(entry: Entry, finished: Finished | null): void {
    entry.run = null;
    if (finished) this.change(entry, { stage: "given", finished, ...STILL });
    setTimeout(() => this.drop(entry), finished ? this.lingerMs : 0);
  }

  /** Look from time to time how far each is: bytes come far more often than anybody can read. */
  private tick(): void {
    this.ticking ??= setInterval(() => {
      const running = this.entries.filter((entry) => entry.run);
      for (const entry of running) this.measure(entry);
      if (running.length > 0 || this.ticking === null) return;
      clearInterval(this.ticking);
      this.ticking = null;
    }, TICK_MS);
  }

  private measure(entry: Entry): void {
    const { estimate, bytes: doneBytes, item } = entry;
    if (item.stage === "uploading" && !item.held)
      estimate.observe(doneBytes, performance.now() / 1000);
    const bytesPerSecond = item.stage === "uploading" ? estimate.bytesPerSecond() : null;
    const leftS = item.stage === "uploading" ? estimate.secondsFor(item.bytes - doneBytes) : null;
    const hasChanged = doneBytes !== item.doneBytes || bytesPerSecond !== item.bytesPerSecond;
    if (hasChanged) this.change(entry, { doneBytes, bytesPerSecond, leftS });
  }

  /** The row of the same file: equal to look at, and by its mark. */
  private async twinOf(file: File): Promise<Entry | null> {
    for (const entry of this.entries) {
      const other = entry.file;
      const isAlike =
        other?.name === file.name &&
        other.size === file.size &&
        other.lastModified === file.lastModified &&
        entry.item.stage !== "given";
      if (isAlike && (await isSame(other, file))) return entry;
    }
    return null;
  }

  private stop(entry: Entry): void {
    const { run } = entry;
    entry.run = null;
    entry.item = { ...entry.item, ...STILL };
    run?.abort();
  }

  /** Tried for as long as the page is open; what is left then expires at the service. */
  private removeAtService(uploadId: string): void {
    this.known.add(uploadId);
    const never = new AbortController().signal;
    persistently(
      () => abort(uploadId),
      never,
      () => {},
    ).catch(() => {
      // not there any more, or complete: nothing is left to remove
    });
  }

  private find(id: number): Entry | undefined {
    return this.entries.find((entry) => entry.item.id === id);
  }

  private drop(entry: Entry): void {
    this.entries = this.entries.filter((each) => each !== entry);
    this.show();
  }

  private change(entry: Entry, changes: Partial<UploadItem>): void {
    entry.item = { ...entry.item, ...changes };
    this.show();
  }

  private show(): void {
    this.shown = this.entries.map((entry) => entry.item);
    for (const listener of this.listeners) listener();
  }
}

const STILL = { bytesPerSecond: null, leftS: null, held: null };

/** Whether there is something to be paused. */
export function canPause({ stage, isPaused }: UploadItem): boolean {
  return !isPaused && (stage === "waiting" || stage === "reading" || stage === "uploading");
}

/** Whether something would be lost, or stand still, if the page were closed. */
export function isSending({ stage, isPaused }: UploadItem): boolean {
  return !isPaused && stage !== "given" && stage !== "failed";
}

async function isSame(one: File, other: File): Promise<boolean> {
  try {
    return (await markOf(one)) === (await markOf(other));
  } catch {
    return false; // one of them cannot be read any more
  }
}
