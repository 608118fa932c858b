/** All that a hand, a key or a lock screen can do to the player, in seconds and stems. */

import type { Loop, StemPlayer } from "../engine/contract";
import { Cell } from "./cell";
import type { Action } from "./keyboard";
import type { Markers } from "./markers";
import {
  clamp,
  isSilence,
  LEAST_DB,
  MOST_DB,
  SHORTEST_LOOP_S,
  semitonesFrom,
  speedFrom,
} from "./settings";
import { holds, moved, pageAt, zoomed } from "./span";
import type { Ticker } from "./ticker";
import type { View } from "./view";

export class Controls {
  readonly player: StemPlayer;
  readonly view: View;
  readonly ticker: Ticker;
  readonly markers: Markers;
  readonly durationS: number;
  /** Whether the view goes along with the playhead. */
  readonly isFollowing = new Cell(true);
  /** A loop that is switched off, and comes back when it is switched on. */
  readonly restingLoop = new Cell<Loop | null>(null);
  /** Counts seeks: who shows the position elsewhere has to show it anew. */
  readonly seeks = new Cell(0);

  constructor(player: StemPlayer, view: View, ticker: Ticker, markers: Markers) {
    this.player = player;
    this.view = view;
    this.ticker = ticker;
    this.markers = markers;
    this.durationS = player.output.frames / player.output.rateHz;
  }

  get positionS(): number {
    return this.player.position() / this.player.output.rateHz;
  }

  playOrPause(): void {
    const { status } = this.player.state;
    if (status === "playing" || status === "waiting") this.pause();
    else this.play();
  }

  play(): void {
    if (this.player.state.status === "ended") this.seekTo(0);
    // What goes wrong stands in the player's state.
    this.player.play().catch(() => undefined);
  }

  pause(): void {
    this.player.pause();
  }

  seekTo(atS: number): void {
    const { rateHz, frames } = this.player.output;
    this.player.seek(clamp(Math.round(atS * rateHz), 0, frames));
    this.seeks.set(this.seeks.value + 1);
    this.reveal(this.positionS);
    this.ticker.wake();
  }

  seekBy(byS: number): void {
    this.seekTo(this.positionS + byS);
  }

  /** Show the page that holds a position, if it is not in the view. */
  reveal(atS: number): void {
    const { span } = this.view;
    if (holds(span, atS) || span.length >= this.durationS) return;
    this.view.glideTo(pageAt(span, atS, this.durationS));
  }

  toggleMute(stem: string): void {
    this.player.setStem(stem, { isMuted: !this.player.state.mix.stems[stem]?.isMuted });
  }

  toggleSolo(stem: string): void {
    this.player.setStem(stem, { isSoloed: !this.player.state.mix.stems[stem]?.isSoloed });
  }

  setVolume(stem: string, volumeDb: number): void {
    this.player.setStem(stem, { volumeDb: volumeOf(volumeDb) });
  }

  louder(stem: string, byDb: number): void {
    const volumeDb = this.player.state.mix.stems[stem]?.volumeDb ?? 0;
    this.setVolume(stem, Math.max(volumeDb, LEAST_DB) + byDb);
  }

  setMaster(volumeDb: number): void {
    this.player.setMix({ masterDb: volumeOf(volumeDb) });
  }

  setSpeed(speed: number): void {
    this.player.setMix({ speed: speedFrom(speed) ?? 1 });
  }

  setSemitones(semitones: number): void {
    this.player.setMix({ semitones: semitonesFrom(semitones) ?? 0 });
  }

  /** Loop a stretch; the order of its ends and a hand's slips do not matter. */
  setLoop(oneS: number, otherS: number): void {
    const startS = clamp(Math.min(oneS, otherS), 0, this.durationS - SHORTEST_LOOP_S);
    const endS = clamp(Math.max(oneS, otherS), startS + SHORTEST_LOOP_S, this.durationS);
    const { rateHz } = this.player.output;
    this.restingLoop.set(null);
    this.player.setMix({
      loop: { start: Math.round(startS * rateHz), end: Math.round(endS * rateHz) },
    });
  }

  /** The loop in seconds, on or resting. */
  get loopS(): { startS: number; endS: number } | null {
    const loop = this.player.state.mix.loop ?? this.restingLoop.value;
    const { rateHz } = this.player.output;
    return loop && { startS: loop.start / rateHz, endS: loop.end / rateHz };
  }

  /** Begin the loop here: it ends where it did, or else with the recording. */
  setLoopStart(atS: number): void {
    const endS = this.loopS?.endS ?? this.durationS;
    this.setLoop(atS, atS < endS ? endS : this.durationS);
  }

  setLoopEnd(atS: number): void {
    const startS = this.loopS?.startS ?? 0;
    this.setLoop(startS < atS ? startS : 0, atS);
  }

  /** End the loop here, and begin it. */
  endLoopHere(): void {
    this.setLoopEnd(this.positionS);
    this.enterLoop();
  }

  /** Go to the loop's start, unless the position is in it: from outside it is not entered. */
  enterLoop(): void {
    const loop = this.loopS;
    if (loop && (this.positionS < loop.startS || this.positionS >= loop.endS)) {
      this.seekTo(loop.startS);
    }
  }

  /** On or off; without any loop, of what is shown. */
  toggleLoop(): void {
    const { loop } = this.player.state.mix;
    if (loop) {
      this.player.setMix({ loop: null });
      this.restingLoop.set(loop);
      return;
    }
    const { start, length } = this.view.span;
    const { startS, endS } = this.loopS ?? { startS: start, endS: start + length };
    this.setLoop(startS, endS);
    this.enterLoop();
  }

  clearLoop(): void {
    this.restingLoop.set(null);
    this.player.setMix({ loop: null });
  }

  /** Show `factor` times as much, around the playhead if it can be seen. */
  zoom(factor: number): void {
    const { span } = this.view;
    const anchorS = holds(span, this.positionS) ? this.positionS : span.start + span.length / 2;
    this.view.show(zoomed(span, factor, anchorS, this.durationS));
  }

  /** Do what a key asks for. `stem` has the focus. Gives whether there was anything to do. */
  perform(action: Action, stem: string | null): boolean {
    const meant = "stem" in action && action.stem !== null ? this.#stemAt(action.stem) : stem;
    switch (action.kind) {
      case "play":
        this.playOrPause();
        return true;
      case "move":
        this.seekBy(action.byS);
        return true;
      case "start":
        this.seekTo(0);
        return true;
      case "end":
        this.seekTo(this.durationS);
        return true;
      case "page":
        this.view.glideTo(moved(this.view.span, action.by * this.view.span.length, this.durationS));
        return true;
      case "mute":
        if (meant !== null) this.toggleMute(meant);
        return meant !== null;
      case "solo":
        if (meant !== null) this.toggleSolo(meant);
        return meant !== null;
      case "louder":
        if (meant !== null) this.louder(meant, action.byDb);
        return meant !== null;
      case "loop":
        this.toggleLoop();
        return true;
      case "loop-start":
        this.setLoopStart(this.positionS);
        return true;
      case "loop-end":
        this.endLoopHere();
        return true;
      case "loop-clear":
        this.clearLoop();
        return true;
      case "speed":
        this.setSpeed(this.player.state.mix.speed + action.by);
        return true;
      case "speed-reset":
        this.setSpeed(1);
        return true;
      case "marker":
        this.markers.add(this.positionS);
        return true;
      case "previous-marker":
        return this.#goTo(this.markers.before(this.positionS)?.atS);
      case "next-marker":
        return this.#goTo(this.markers.after(this.positionS)?.atS);
      case "zoom":
        this.zoom(action.factor);
        return true;
      case "follow":
        this.isFollowing.set(!this.isFollowing.value);
        return true;
      case "help":
        return false;
    }
  }

  #stemAt(index: number): string | null {
    return this.player.output.stems[index]?.name ?? null;
  }

  #goTo(atS: number | undefined): boolean {
    if (atS !== undefined) this.seekTo(atS);
    return atS !== undefined;
  }
}

function volumeOf(volumeDb: number): number {
  return isSilence(volumeDb) ? Number.NEGATIVE_INFINITY : Math.min(MOST_DB, volumeDb);
}
