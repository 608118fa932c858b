/** What is wanted of playing: where, and whether. Each change of that is a run of its own. */

import type { Loop, Status } from "./contract";
import { type Rack, Run } from "./run";
import { type Limits, twentiethsOf } from "./schedule";
import type { Windows } from "./windows";

/** What a transport tells. */
export interface TransportEvents {
  onStatus(status: Status): void;
  onFailure(error: unknown): void;
}

export class Transport {
  firstSoundMs: number | null = null;
  lateWindows = 0;
  #limits: Limits;
  #run: Run;
  #rack: Rack | null = null;
  #askedAt = 0;
  /** Where it stands while nothing is loaded: at the end, or where it failed. */
  #restsAt: number | null = null;

  constructor(
    private readonly windows: Windows,
    limits: Limits,
    start: number,
    private readonly events: TransportEvents,
  ) {
    this.#limits = limits;
    this.#run = this.#begin(start);
  }

  /** How fast it plays, in twentieths of the recording's speed. */
  get twentieths(): number {
    return this.#limits.twentieths;
  }

  position(): number {
    return this.#restsAt ?? this.#run.position();
  }

  /** Plays on, or from the start if all has been played. */
  play(rack: Rack, askedAt: number): void {
    if (this.#rack !== null) return;
    this.#rack = rack;
    const start = this.#restsAt === this.#limits.frames ? 0 : this.#restsAt;
    if (start === null) this.#go(askedAt);
    else this.#restart(start, askedAt);
  }

  pause(): void {
    if (this.#rack === null) return;
    const position = this.position();
    this.#rack = null;
    this.#restart(position, performance.now());
    this.events.onStatus("paused");
  }

  seek(frame: number): void {
    const position = Math.min(Math.max(Math.round(frame), 0), this.#limits.frames);
    this.#restart(position, performance.now());
    if (this.#rack === null) this.events.onStatus("paused");
  }

  setLoop(loop: Loop | null): void {
    this.#limits = { ...this.#limits, loop };
    this.#run.setLoop(loop);
  }

  setSpeed(speed: number): void {
    this.#limits = { ...this.#limits, twentieths: twentiethsOf(speed) };
    this.restart();
  }

  /** Plays on from where it is, in what has become another way to be heard. */
  restart(): void {
    if (this.#restsAt === null) this.#restart(this.position(), performance.now());
  }

  /** Lets go of everything. */
  close(): void {
    this.#rack = null;
    this.#run.stop();
  }

  #begin(start: number): Run {
    const run: Run = new Run(start, this.#limits, this.windows, {
      onSound: (inMs) => {
        this.firstSoundMs ??= performance.now() - this.#askedAt + inMs;
        this.events.onStatus("playing");
      },
      onDry: () => this.events.onStatus("waiting"),
      onLate: () => {
        this.lateWindows += 1;
      },
      onEnd: () => {
        this.#rest(this.#limits.frames);
        this.events.onStatus("ended");
      },
      onFailure: (error) => {
        if (this.#run !== run) return;
        this.#rest(run.position());
        this.events.onFailure(error);
      },
    });
    return run;
  }

  #restart(position: number, askedAt: number): void {
    this.#run.stop();
    this.#restsAt = null;
    this.#run = this.#begin(position);
    if (this.#rack !== null) this.#go(askedAt);
  }

  #go(askedAt: number): void {
    this.#askedAt = askedAt;
    this.firstSoundMs = null;
    if (this.#rack === null) return;
    this.events.onStatus("waiting");
    this.#run.go(this.#rack);
  }

  #rest(position: number): void {
    this.#restsAt = position;
    this.#rack = null;
    this.#run.stop();
  }
}
