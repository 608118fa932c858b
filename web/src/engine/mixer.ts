/**
 * The graph: stems come in, are set to their levels and summed, and leave through a limiter.
 *
 * ```text
 * stem ─▶ level ─▶ pan ─┐
 * stem ─▶ level ─▶ pan ─┴▶ sum ─▶ (stretch) ─▶ gate ─▶ master ─▶ limiter ─▶ device
 * ```
 *
 * At its defaults every node passes samples on unchanged: a stem that is mono becomes two equal
 * channels first, so that a pan of 0 is the identity; the stretch is not there unless it is needed.
 */

import type { Mix, StemSettings } from "./contract";
import limiterModule from "./limiter.worklet?worker&url";
import type { Stretch } from "./stretch";

/** Time in which a level changes, so that nothing clicks. */
const RAMP_S = 0.015;
const METER_FRAMES = 2048;

/** How a stem is heard unless somebody chose otherwise. */
export const PLAIN_STEM: StemSettings = { volumeDb: 0, isMuted: false, isSoloed: false, pan: 0 };

/** A stem's factor in the sum, for a mix in which stems carry gains of their own. */
export function stemGain(name: string, gainDb: number, mix: Mix): number {
  const settings = mix.stems[name] ?? PLAIN_STEM;
  const isAnySoloed = Object.values(mix.stems).some(({ isSoloed }) => isSoloed);
  if (settings.isMuted || (isAnySoloed && !settings.isSoloed)) return 0;
  return factorOf(settings.volumeDb + (mix.isLevelled ? gainDb : 0));
}

/** A level in dB as a factor; 0 dB is exactly 1. */
export function factorOf(db: number): number {
  return 10 ** (db / 20);
}

/** What a mixer needs to know of a stem. */
export interface MixedStem {
  readonly name: string;
  readonly gainDb: number;
}

interface Strip {
  readonly stem: MixedStem;
  readonly level: GainNode;
  readonly pan: StereoPannerNode;
  readonly meter: LevelMeter;
}

export class Mixer {
  readonly gate: GainNode;
  /** What leaves towards the device. */
  readonly output: AudioNode;
  readonly #strips: readonly Strip[];
  readonly #sum: GainNode;
  readonly #master: GainNode;
  readonly #meter: LevelMeter;
  readonly #limiterFrames: number;
  #stretch: Stretch | null = null;

  private constructor(
    private readonly context: AudioContext,
    stems: readonly MixedStem[],
    limiter: AudioWorkletNode | null,
  ) {
    this.#sum = stereoGain(context);
    this.gate = stereoGain(context, 0);
    this.#master = stereoGain(context);
    this.output = limiter ?? this.#master;
    this.#limiterFrames = limiter ? limiterFrames(context.sampleRate) : 0;
    this.#strips = stems.map((stem) => this.#strip(stem));
    this.#sum.connect(this.gate).connect(this.#master);
    if (limiter) this.#master.connect(limiter);
    this.output.connect(context.destination);
    this.#meter = new LevelMeter(context, this.output);
  }

  /** Builds the graph; without a limiter where a page may not have one (plain HTTP). */
  static async open(context: AudioContext, stems: readonly MixedStem[], mix: Mix): Promise<Mixer> {
    const mixer = new Mixer(context, stems, await makeLimiter(context));
    mixer.#apply(mix, (param, value) => {
      param.value = value;
    });
    return mixer;
  }

  /** Where each stem goes in. */
  get inputs(): readonly AudioNode[] {
    return this.#strips.map(({ level }) => level);
  }

  /** Where each stem can be listened to, at its level. */
  get outputs(): readonly AudioNode[] {
    return this.#strips.map(({ pan }) => pan);
  }

  /** Frames that the gate's input is behind the stems. */
  get gateLatencyFrames(): number {
    return this.#stretch?.latencyFrames ?? 0;
  }

  /** Frames that the output is behind the stems. */
  get latencyFrames(): number {
    return this.gateLatencyFrames + this.#limiterFrames;
  }

  /** Changes the levels. */
  apply(mix: Mix): void {
    const now = this.context.currentTime;
    this.#apply(mix, (param, value) => ramp(param, value, now));
  }

  /** Leads the sum through a stretch, or past it. */
  stretchWith(stretch: Stretch | null): void {
    if (stretch === this.#stretch) return;
    this.#sum.disconnect();
    this.#stretch?.output.disconnect();
    this.#stretch = stretch;
    if (stretch) {
      this.#sum.connect(stretch.input);
      stretch.output.connect(this.gate);
    } else {
      this.#sum.connect(this.gate);
    }
  }

  /** The peak of a stem, or of the sum, in the last moment. */
  level(stem: string | null): number {
    const strip = this.#strips.find((each) => each.stem.name === stem);
    return (stem === null ? this.#meter : strip?.meter)?.peak() ?? 0;
  }

  #strip(stem: MixedStem): Strip {
    const level = stereoGain(this.context);
    const pan = new StereoPannerNode(this.context);
    level.connect(pan).connect(this.#sum);
    return { stem, level, pan, meter: new LevelMeter(this.context, pan) };
  }

  #apply(mix: Mix, set: (param: AudioParam, value: number) => void): void {
    for (const { stem, level, pan } of this.#strips) {
      set(level.gain, stemGain(stem.name, stem.gainDb, mix));
      set(pan.pan, mix.stems[stem.name]?.pan ?? 0);
    }
    set(this.#master.gain, factorOf(mix.masterDb));
  }
}

/** Frames that the limiter looks ahead, by which everything is later. */
export function limiterFrames(rateHz: number): number {
  return Math.round(rateHz * 0.002);
}

/** The peak of either channel, read when somebody looks. */
class LevelMeter {
  readonly #analysers: readonly AnalyserNode[];
  readonly #samples = new Float32Array(METER_FRAMES);

  constructor(context: AudioContext, source: AudioNode) {
    const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
    source.connect(splitter);
    this.#analysers = [0, 1].map((channel) => {
      const analyser = new AnalyserNode(context, { fftSize: METER_FRAMES });
      splitter.connect(analyser, channel);
      return analyser;
    });
  }

  peak(): number {
    let peak = 0;
    for (const analyser of this.#analysers) {
      analyser.getFloatTimeDomainData(this.#samples);
      for (const sample of this.#samples) peak = Math.max(peak, Math.abs(sample));
    }
    return Math.min(peak, 1);
  }
}

function stereoGain(context: AudioContext, gain = 1): GainNode {
  return new GainNode(context, { gain, channelCount: 2, channelCountMode: "explicit" });
}

async function makeLimiter(context: AudioContext): Promise<AudioWorkletNode | null> {
  if (!("audioWorklet" in context)) return null;
  await context.audioWorklet.addModule(limiterModule);
  return new AudioWorkletNode(context, "limiter", {
    channelCount: 2,
    channelCountMode: "explicit",
    outputChannelCount: [2],
    processorOptions: { aheadFrames: limiterFrames(context.sampleRate) },
  });
}

function ramp(param: AudioParam, value: number, now: number): void {
  const before = param.value;
  param.cancelScheduledValues(now);
  param.setValueAtTime(before, now);
  param.linearRampToValueAtTime(value, now + RAMP_S);
}
