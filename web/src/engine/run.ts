/**
 * Plays from one position on, until something else is wanted.
 *
 * Stems cannot drift apart: a window is started once all stems of it are there, each by a source of
 * its own, at one integer frame of the device's clock. Sources that were told their frame before it
 * came begin exactly there, so the clock is read again afterwards; if it was too late, all of them
 * are started anew together.
 */

import type { Loop } from "./contract";
import {
  type Cut,
  cutPiece,
  hasRoom,
  type Limits,
  lastsFor,
  type PlacedPiece,
  positionAt,
  revise,
  windowFrames,
} from "./schedule";
import type { Window, Windows } from "./windows";

/** Time between telling a source its first frame and that frame. */
const LEAD_S = 0.05;
/** How far ahead pieces are placed: a short loop would need no limit for its memory. */
const AHEAD_S = 12;
/** Time in which what sounds is faded out before it is stopped. */
const FADE_OUT_S = 0.01;
const FADE_IN_S = 0.005;
/** The least that is left of a window for it to be played from: as much as a first one has. */
const LEAST_LEFT_S = 0.5;

/** What a run plays on. */
export interface Rack {
  readonly context: AudioContext;
  /** Where each stem goes in. */
  readonly inputs: readonly AudioNode[];
  /** Fades all that is heard. */
  readonly gate: AudioParam;
  /** Frames from the sources to what leaves the device. */
  latencyFrames(): number;
  /** Frames of that before the gate. */
  gateLatencyFrames(): number;
}

/** What a run tells. */
export interface RunEvents {
  /** What was asked for will be heard in so many ms from now. */
  onSound(inMs: number): void;
  /** All that was there has been played, and there is more to come. */
  onDry(): void;
  /** A window came after its time. */
  onLate(): void;
  onEnd(): void;
  onFailure(error: unknown): void;
}

interface Sounding extends PlacedPiece {
  readonly window: Window;
  readonly sources: readonly AudioBufferSourceNode[];
}

export class Run {
  #limits: Limits;
  #next: number | null;
  #sounding: Sounding[] = [];
  /** Pieces that sources have played to their end, as long as they may still be heard. */
  #over: PlacedPiece[] = [];
  #rack: Rack | null = null;
  #wake = () => {};
  readonly #abort = new AbortController();

  constructor(
    readonly from: number,
    limits: Limits,
    private readonly windows: Windows,
    private readonly events: RunEvents,
  ) {
    this.#limits = limits;
    this.#next = from;
    windows.onFreed = () => this.#wake();
    void this.#fill();
  }

  /** Begins to play; until then the first window is loaded only. */
  go(rack: Rack): void {
    this.#rack = rack;
    this.#wake();
  }

  /** The frame that is heard now. */
  position(): number {
    if (this.#rack === null) return this.from;
    const heard = clock(this.#rack.context) - this.#rack.latencyFrames();
    const pieces = [...this.#over, ...this.#sounding];
    return positionAt(pieces, heard, this.#limits.twentieths) ?? this.from;
  }

  /** Repeats another stretch, or none: what waits to be played is changed where it has to be. */
  setLoop(loop: Loop | null): void {
    this.#limits = { ...this.#limits, loop };
    const rack = this.#rack;
    if (rack !== null && this.#sounding.length > 0) {
      const from = clock(rack.context) + LEAD_S * rack.context.sampleRate;
      const { kept, lastFrames, next } = revise(this.#sounding, from, this.#limits);
      for (const piece of this.#sounding.splice(kept)) this.#drop(piece);
      const last = this.#sounding.pop();
      if (last) this.#sounding.push(this.#shortened(last, lastFrames));
      this.#next = next;
    }
    this.#wake();
  }

  /** Falls silent; nothing is loaded any more. */
  stop(): void {
    this.#abort.abort();
    this.#wake();
    const rack = this.#rack;
    if (rack === null || this.#sounding.length === 0) return;
    const { context, gate } = rack;
    const silentAt = context.currentTime + FADE_OUT_S;
    fadeOut(gate, context.currentTime, silentAt);
    const isHeard = (piece: Sounding) => piece.at <= silentAt * context.sampleRate;
    for (const piece of this.#sounding) if (!isHeard(piece)) this.#drop(piece);
    const heard = this.#sounding.filter(isHeard);
    for (const source of heard.flatMap(({ sources }) => sources)) {
      source.onended = null;
      source.stop(silentAt);
    }
    const drop = () => {
      if (context.state === "running" && context.currentTime < silentAt) setTimeout(drop, 5);
      else for (const piece of heard) this.#drop(piece);
    };
    setTimeout(drop, FADE_OUT_S * 1000);
  }

  async #fill(): Promise<void> {
    const { signal } = this.#abort;
    try {
      for (let number = 0; !signal.aborted; ) {
        const cut = this.#cut(number);
        if (cut === null && number === 0 && this.#rack !== null) {
          this.events.onEnd(); // nothing comes after where it was to begin
          return;
        }
        if (cut === null || (number > 0 && !this.#hasRoom(cut))) {
          await this.#woken();
          continue;
        }
        const window =
          this.windows.find(cut.start, Math.min(cut.frames, this.#seconds(LEAST_LEFT_S))) ??
          (await this.windows.load(cut, signal));
        while (this.#rack === null && !signal.aborted) await this.#woken();
        if (this.#rack === null || signal.aborted || this.#cut(number)?.start !== cut.start) {
          this.windows.letGo(window);
          continue;
        }
        this.#place(this.#rack, window, cut.start);
        number += 1;
      }
    } catch (error) {
      if (!signal.aborted) this.events.onFailure(error);
    }
  }

  #cut(number: number): Cut | null {
    if (this.#next === null) return null;
    const { rateHz } = this.#limits;
    const most = windowFrames(number, rateHz, this.windows.frameBytes);
    return cutPiece(this.#next, most, this.#limits);
  }

  #hasRoom(cut: Cut): boolean {
    if (this.#rack === null) return false;
    const ahead = (this.#due() ?? 0) - clock(this.#rack.context);
    if (ahead > this.#seconds(AHEAD_S)) return false;
    return hasRoom(this.windows.bytes, cut.frames * this.windows.frameBytes);
  }

  #seconds(seconds: number): number {
    return seconds * this.#limits.rateHz;
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The device's frame at which the next piece has to begin. */
  #due(): number | null {
    const last = this.#sounding.at(-1) ?? this.#over.at(-1);
    return last ? last.at + last.lasts : null;
  }

  #place(rack: Rack, window: Window, start: number): void {
    const cut = cutPiece(start, window.start + window.frames - start, this.#limits);
    if (cut === null) {
      this.windows.letGo(window);
      return;
    }
    const due = this.#due();
    const isInTime = due !== null && this.#start(rack, window, cut, due);
    if (!isInTime) {
      if (due !== null) this.events.onLate();
      this.#anchor(rack, window, cut);
    }
    this.#next = cut.next;
  }

  /** Starts a piece as soon as can be. */
  #anchor(rack: Rack, window: Window, cut: Cut): void {
    const { context } = rack;
    for (let lead = LEAD_S; ; lead *= 2) {
      const at = clock(context) + Math.ceil(lead * context.sampleRate);
      if (!this.#start(rack, window, cut, at)) continue;
      const heardAt = at + rack.gateLatencyFrames();
      fadeIn(rack.gate, heardAt / context.sampleRate);
      const latency = at + rack.latencyFrames() - clock(context);
      this.events.onSound((latency / context.sampleRate) * 1000);
      return;
    }
  }

  /** Starts a piece of all stems at a frame; false if that has passed already. */
  #start(rack: Rack, window: Window, cut: Cut, at: number): boolean {
    const { context, inputs } = rack;
    const { rateHz, twentieths } = this.#limits;
    if (clock(context) >= at) return false;
    const piece = {
      start: cut.start,
      frames: cut.frames,
      at,
      lasts: lastsFor(cut.frames, twentieths),
      window,
      sources: window.buffers.map((buffer, stem) => {
        const source = new AudioBufferSourceNode(context, {
          buffer,
          playbackRate: twentieths / 20,
        });
        const input = inputs[stem];
        if (input) source.connect(input);
        source.start(at / rateHz, (cut.start - window.start) / rateHz);
        return source;
      }),
    };
    // A rate is a float of 32 bits: at 0.95, a piece would last a little longer.
    if (twentieths !== 20 || cut.start + cut.frames < window.start + window.frames) {
      for (const source of piece.sources) source.stop((at + piece.lasts) / rateHz);
    }
    if (clock(context) >= at) {
      silence(piece.sources);
      return false;
    }
    const [first] = piece.sources;
    if (first) first.onended = () => this.#finish(first);
    this.#sounding.push(piece);
    return true;
  }

  #shortened(piece: Sounding, frames: number): Sounding {
    if (frames === piece.frames) return piece;
    const { twentieths, rateHz } = this.#limits;
    const lasts = lastsFor(frames, twentieths);
    for (const source of piece.sources) source.stop((piece.at + lasts) / rateHz);
    return { ...piece, frames, lasts };
  }

  /** A piece has been played to its end. */
  #finish(first: AudioBufferSourceNode): void {
    const number = this.#sounding.findIndex(({ sources }) => sources[0] === first);
    const [piece] = number < 0 ? [] : this.#sounding.splice(number, 1);
    if (piece === undefined || this.#rack === null) return;
    this.#drop(piece);
    const { at, lasts, start, frames } = piece;
    const heard = clock(this.#rack.context) - this.#rack.latencyFrames();
    this.#over = this.#over.filter((past) => past.at + past.lasts > heard);
    this.#over.push({ at, lasts, start, frames });
    if (this.#sounding.length === 0) this.#runDry(this.#rack);
    this.#wake();
  }

  #runDry(rack: Rack): void {
    if (this.#next !== null) {
      this.events.onDry();
      return;
    }
    const tailMs = (rack.latencyFrames() / rack.context.sampleRate) * 1000;
    setTimeout(() => {
      if (!this.#abort.signal.aborted && this.#next === null) this.events.onEnd();
    }, tailMs);
  }

  #drop(piece: Sounding): void {
    silence(piece.sources);
    this.windows.letGo(piece.window);
  }
}

/** The device's frame that is computed next. */
function clock(context: AudioContext): number {
  return Math.round(context.currentTime * context.sampleRate);
}

function silence(sources: readonly AudioBufferSourceNode[]): void {
  for (const source of sources) {
    source.onended = null;
    source.stop();
    source.disconnect();
    source.buffer = null;
  }
}

function fadeOut(gate: AudioParam, now: number, end: number): void {
  const level = gate.value;
  gate.cancelScheduledValues(now);
  gate.setValueAtTime(level, now);
  gate.linearRampToValueAtTime(0, end);
}

function fadeIn(gate: AudioParam, at: number): void {
  gate.cancelScheduledValues(at);
  gate.setValueAtTime(0, at);
  gate.linearRampToValueAtTime(1, at + FADE_IN_S);
}
