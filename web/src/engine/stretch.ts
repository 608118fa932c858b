/**
 * Shifts the pitch of all that passes, by Signalsmith Stretch: one node after the mix, so that stems
 * stay in step.
 *
 * The package's own way to its processor is a script in a `blob:`, which the page's policy forbids.
 * So the processor is a file of ours (`stretch.worklet.ts`), fetched when the first node is made.
 */

import { latencyFrames, MAX_SEMITONES, PROCESSOR, SEMITONES } from "./shift";
import processorUrl from "./stretch.worklet?worker&url";

const GLIDE_S = 0.05;

/** A node that shifts the pitch, and what belongs to it. */
export interface Stretch {
  readonly input: AudioNode;
  readonly output: AudioNode;
  /** How much later everything leaves it than it entered; it changes with the pitch. */
  readonly latencyFrames: number;
  /** Shifts by so many semitones, -18 to 18, in 50 ms and without a break in the sound. */
  set(semitones: number): void;
  close(): void;
}

/**
 * Makes a node that shifts by 0 semitones at first.
 *
 * Throws what the browser says if it has no AudioWorklet (a page without HTTPS) or cannot load it.
 */
export async function makeStretch(context: BaseAudioContext): Promise<Stretch> {
  await context.audioWorklet.addModule(processorUrl);
  const node = new AudioWorkletNode(context, PROCESSOR, {
    numberOfInputs: 1,
    numberOfOutputs: 1,
    channelCount: 2,
    channelCountMode: "explicit",
    outputChannelCount: [2],
  });
  const engineFrames = Math.round((await engineLatencyS(node)) * context.sampleRate);
  let semitones = 0;
  return {
    input: node,
    output: node,
    get latencyFrames() {
      return latencyFrames(engineFrames, semitones);
    },
    set(wanted) {
      semitones = Math.min(Math.max(wanted, -MAX_SEMITONES), MAX_SEMITONES);
      glide(node.parameters.get(SEMITONES), semitones, context.currentTime);
    },
    close() {
      node.disconnect();
      node.port.close();
    },
  };
}

/** Goes to a value in a moment: a jump of the pitch would tick. */
function glide(parameter: AudioParam | undefined, value: number, now: number): void {
  if (!parameter) return;
  const before = parameter.value;
  parameter.cancelScheduledValues(now);
  parameter.setValueAtTime(before, now);
  parameter.linearRampToValueAtTime(value, now + GLIDE_S);
}

/**
 * Asks the engine for its latency once it is ready.
 *
 * The package's protocol: its processor says `["ready", …]`, is called with
 * `[number, method, ...arguments]`, and answers `[number, result]`.
 */
function engineLatencyS(node: AudioWorkletNode): Promise<number> {
  return new Promise((resolve, reject) => {
    node.port.onmessage = ({ data: [subject, value] }: MessageEvent<[unknown, unknown]>) => {
      if (subject === "ready") node.port.postMessage([0, "latency"]);
      else if (subject === 0) resolve(Number(value));
    };
    node.onprocessorerror = () =>
      reject(new Error("The browser could not start the pitch shifter."));
  });
}
