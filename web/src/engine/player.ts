/** The player: opens an output and offers what `contract.ts` says. */

import type {
  Figures,
  Mix,
  PlayableOutput,
  PlayerState,
  Status,
  StemPlayer,
  StemSettings,
} from "./contract";
import { DecodedAudio } from "./decoding";
import { toldOf } from "./failure";
import { Mixer, PLAIN_STEM } from "./mixer";
import { Meter } from "./ranges";
import type { Rack } from "./run";
import { twentiethsOf } from "./schedule";
import { openStems } from "./source";
import type { Stretch } from "./stretch";
import { Transport } from "./transport";
import { Windows } from "./windows";

/** After so long a pause the audio device is given back, for the battery's sake. */
const IDLE_MS = 30_000;
const NO_STRETCH =
  "Speed and pitch cannot be changed here: the browser needs a page that came by HTTPS for that.";

/** How an output is opened. */
export interface OpenOptions {
  /** How it is heard, where that is not the default. */
  readonly mix?: Partial<Mix>;
  /** The frame at which playing begins. */
  readonly position?: number;
  /** Called before the first sound with the graph, for who wants to listen in. */
  readonly onGraph?: (context: AudioContext, mixer: Mixer) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

/** How an output is heard unless somebody chose otherwise. */
export function plainMix(output: PlayableOutput): Mix {
  return {
    stems: Object.fromEntries(output.stems.map(({ name }) => [name, PLAIN_STEM])),
    masterDb: 0,
    isLevelled: true,
    speed: 1,
    semitones: 0,
    loop: null,
  };
}

/** Opens an output. Throws `PlaybackError`. */
export async function openPlayer(
  output: PlayableOutput,
  options: OpenOptions = {},
): Promise<StemPlayer> {
  const audio = new DecodedAudio();
  const meter = new Meter();
  const signal = options.signal ?? new AbortController().signal;
  const readers = await openStems(output, audio, meter, signal);
  return new Player(output, new Windows(readers, audio), audio, meter, options);
}

class Player implements StemPlayer {
  #state: PlayerState;
  readonly #listeners = new Set<() => void>();
  readonly #transport: Transport;
  #graph: Promise<Graph> | null = null;
  #open: Graph | null = null;
  #isWanted = false;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly output: PlayableOutput,
    windows: Windows,
    private readonly audio: DecodedAudio,
    private readonly meter: Meter,
    private readonly options: OpenOptions,
  ) {
    const plain = plainMix(output);
    const mix = { ...plain, ...options.mix, stems: { ...plain.stems, ...options.mix?.stems } };
    this.#state = { status: "paused", mix, error: null };
    const limits = {
      frames: output.frames,
      rateHz: output.rateHz,
      loop: mix.loop,
      twentieths: twentiethsOf(mix.speed),
    };
    this.#transport = new Transport(windows, limits, options.position ?? 0, {
      onStatus: (status) => this.#onStatus(status),
      onFailure: (error) => this.#fail(error),
    });
  }

  get state(): PlayerState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  position(): number {
    return this.#transport.position();
  }

  async play(): Promise<void> {
    const askedAt = performance.now();
    this.#isWanted = true;
    clearTimeout(this.#idle);
    if (this.#state.error !== null) this.#tell({ error: null });
    try {
      this.#graph ??= openGraph(this.output, this.#state.mix, this.options);
      const graph = await this.#graph;
      this.#open = graph;
      await graph.context.resume();
      graph.context.onstatechange = () => this.#onContext(graph.context);
      graph.mixer.apply(this.#state.mix);
      await graph.follow(this.#state.mix).catch(() => this.#playPlainly());
      if (this.#isWanted) this.#transport.play(graph.rack, askedAt);
    } catch (error) {
      if (this.#open === null) this.#graph = null;
      this.#fail(error);
    }
  }

  pause(): void {
    this.#isWanted = false;
    this.#transport.pause();
  }

  seek(frame: number): void {
    this.#transport.seek(frame);
  }

  setStem(name: string, change: Partial<StemSettings>): void {
    const { stems } = this.#state.mix;
    const settings = { ...(stems[name] ?? PLAIN_STEM), ...change };
    this.#change({ stems: { ...stems, [name]: settings } });
  }

  setMix(change: Partial<Omit<Mix, "stems">>): void {
    this.#change(change);
  }

  level(stem: string | null): number {
    return this.#open?.mixer.level(stem) ?? 0;
  }

  figures(): Figures {
    return {
      decodedBytes: this.audio.bytes,
      decodedBytesPeak: this.audio.peak,
      firstSoundMs: this.#transport.firstSoundMs,
      lateWindows: this.#transport.lateWindows,
      requests: this.meter.requests,
      fetchedBytes: this.meter.fetchedBytes,
    };
  }

  async close(): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#idle);
    this.#listeners.clear();
    this.#transport.close();
    const graph = await this.#graph?.catch(() => null);
    if (graph) {
      graph.context.onstatechange = null;
      await graph.context.close();
    }
  }

  #change(change: Partial<Mix>): void {
    const before = this.#state.mix;
    const mix = { ...before, ...change };
    this.#tell({ mix });
    this.#open?.mixer.apply(mix);
    if (mix.loop !== before.loop) this.#transport.setLoop(mix.loop);
    if (mix.speed !== before.speed || mix.semitones !== before.semitones) {
      void this.#changeStretch(mix);
    }
  }

  async #changeStretch(mix: Mix): Promise<void> {
    const isOther = (await this.#open?.follow(mix).catch(() => this.#playPlainly())) ?? false;
    const { speed, semitones } = this.#state.mix;
    if (speed !== mix.speed || semitones !== mix.semitones) return; // a later change sees to it
    if (twentiethsOf(speed) !== this.#transport.twentieths) this.#transport.setSpeed(speed);
    else if (isOther) this.#transport.restart();
  }

  /** Goes on without what shifts the pitch, which a page that came by plain HTTP may not have. */
  #playPlainly(): boolean {
    const mix = { ...this.#state.mix, speed: 1, semitones: 0 };
    this.#tell({ mix, error: NO_STRETCH });
    this.#transport.setSpeed(1);
    return false;
  }

  /** The system took the audio device away, for a call or with the screen. */
  #onContext(context: AudioContext): void {
    if (context.state !== "running" && this.#isWanted) this.pause();
  }

  #onStatus(status: Status): void {
    if (status === "ended") this.#isWanted = false;
    clearTimeout(this.#idle);
    if (!this.#isWanted) {
      this.#idle = setTimeout(() => void this.#open?.context.suspend(), IDLE_MS);
    }
    if (status !== this.#state.status) this.#tell({ status });
  }

  #fail(error: unknown): void {
    this.#isWanted = false;
    this.#tell({ status: "failed", error: toldOf(error) });
  }

  #tell(change: Partial<PlayerState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** What exists once something is to be heard. */
interface Graph {
  readonly context: AudioContext;
  readonly mixer: Mixer;
  readonly rack: Rack;
  /** Sets speed and pitch; true if what is heard is later or earlier by that. */
  follow(mix: Mix): Promise<boolean>;
}

async function openGraph(output: PlayableOutput, mix: Mix, options: OpenOptions): Promise<Graph> {
  playEvenIfSilenced();
  const context = new AudioContext({ sampleRate: output.rateHz, latencyHint: "interactive" });
  void context.resume(); // still within the gesture
  const mixer = await Mixer.open(context, output.stems, mix);
  await options.onGraph?.(context, mixer);
  let stretch: Promise<Stretch> | null = null;
  return {
    context,
    mixer,
    rack: {
      context,
      inputs: mixer.inputs,
      gate: mixer.gate.gain,
      latencyFrames: () =>
        mixer.latencyFrames + Math.round((context.outputLatency || 0) * context.sampleRate),
      gateLatencyFrames: () => mixer.gateLatencyFrames,
    },
    async follow({ speed, semitones }) {
      const before = mixer.latencyFrames;
      const twentieths = twentiethsOf(speed);
      if (twentieths === 20 && semitones === 0) {
        mixer.stretchWith(null);
      } else {
        stretch ??= import("./stretch").then(({ makeStretch }) => makeStretch(context));
        const node = await stretch;
        node.set(semitones - 12 * Math.log2(twentieths / 20));
        mixer.stretchWith(node);
      }
      return mixer.latencyFrames !== before;
    },
  };
}

/** On a phone, music is heard whatever the switch for its ringing says. */
function playEvenIfSilenced(): void {
  const session: unknown = Reflect.get(navigator, "audioSession");
  if (typeof session === "object" && session !== null) Reflect.set(session, "type", "playback");
}
