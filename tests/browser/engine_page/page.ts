/** What the tests in Python call: the engine with a tap on each stem and on the sum. */

import type { Mix, PlayableOutput, StemEncoding, StemPlayer } from "../../../web/src/engine/contract";
import { DecodedAudio } from "../../../web/src/engine/decoding";
import type { Mixer } from "../../../web/src/engine/mixer";
import { openPlayer } from "../../../web/src/engine/player";
import { Meter } from "../../../web/src/engine/ranges";
import { cutPiece, windowFrames } from "../../../web/src/engine/schedule";
import { openStems } from "../../../web/src/engine/source";
import { Windows } from "../../../web/src/engine/windows";

const TAP_FRAMES = 2 * 48_128; // a multiple of the 128 frames that are computed at once

const PATIENCE_MS = 15_000;

interface FileDescription {
  url: string;
  bytes: number;
}

interface Description {
  rateHz: number;
  frames: number;
  stems: { name: string; encoding: StemEncoding; file: FileDescription; index: FileDescription | null }[];
  /** Where the description stands with fresh addresses. */
  renewUrl: string | null;
}

function outputOf(description: Description): PlayableOutput {
  return {
    id: "output",
    name: "recording",
    rateHz: description.rateHz,
    frames: description.frames,
    stems: description.stems.map((stem) => ({
      ...stem,
      peaks: new Map(),
      gainDb: -6,
      isSilent: false,
    })),
    renew: async () => {
      if (description.renewUrl === null) throw new Error("nobody gives fresh addresses");
      return outputOf(await (await fetch(description.renewUrl)).json());
    },
  };
}

let player: StemPlayer | null = null;
let context: AudioContext | null = null;
let mixer: Mixer | null = null;
let tap: AudioWorkletNode | null = null;
let sound: ((at: number) => void) | null = null;
/** The device's frame at which sound began last. */
let begin = 0;

function opened<Thing>(thing: Thing | null): Thing {
  if (thing === null) throw new Error("nothing is open");
  return thing;
}

/** Opens an output; it is not levelled, so that what is heard is what the files hold. */
async function open(description: Description, mix: Partial<Mix> = {}): Promise<void> {
  player = await openPlayer(outputOf(description), {
    mix: { isLevelled: false, ...mix },
    onGraph: listenIn,
  });
}

async function listenIn(made: AudioContext, graph: Mixer): Promise<void> {
  context = made;
  mixer = graph;
  await made.audioWorklet.addModule(new URL("./tap.worklet.js", import.meta.url).href);
  const sources = [...graph.outputs, graph.output];
  const channels = 2 * sources.length;
  const merger = new ChannelMergerNode(made, { numberOfInputs: channels });
  sources.forEach((source, number) => {
    const splitter = new ChannelSplitterNode(made, { numberOfOutputs: 2 });
    source.connect(splitter);
    splitter.connect(merger, 0, 2 * number);
    splitter.connect(merger, 1, 2 * number + 1);
  });
  tap = new AudioWorkletNode(made, "tap", {
    channelCount: channels,
    channelCountMode: "explicit",
    channelInterpretation: "discrete",
    processorOptions: { channels, frames: TAP_FRAMES },
  });
  tap.port.addEventListener("message", ({ data }) => {
    if (!("sound" in data)) return;
    begin = data.sound;
    sound?.(performance.now());
  });
  tap.port.start();
  merger.connect(tap);
}

/** Does something and gives the ms until sound comes out of the stems after a silence. */
async function timeToSound(act: () => void): Promise<number> {
  const begun = performance.now();
  const heard = new Promise<number>((resolve, reject) => {
    sound = resolve;
    setTimeout(reject, PATIENCE_MS, new Error("no sound comes"));
  });
  act();
  return (await heard) - begun;
}

/** Opens, plays and gives the ms until sound comes out. */
async function timeToOpen(description: Description): Promise<number> {
  return timeToSound(async () => {
    await open(description);
    await opened(player).play();
  });
}

/** What was recorded, and what the player said to be heard at a frame of it. */
async function recorded() {
  const [playing, device, node] = [opened(player), opened(context), opened(tap)];
  let clock: number;
  let position: number;
  do {
    clock = device.currentTime;
    position = playing.position();
  } while (device.currentTime !== clock);
  const graph = opened(mixer);
  const behind = graph.latencyFrames + Math.round((device.outputLatency || 0) * device.sampleRate);
  const answer = new Promise<{ end: number; ring: Float32Array[] }>((resolve) => {
    const take = ({ data }: MessageEvent) => {
      if (!("ring" in data)) return;
      node.port.removeEventListener("message", take);
      resolve(data);
    };
    node.port.addEventListener("message", take);
  });
  node.port.postMessage("give");
  const { end, ring } = await answer;
  const turn = end % TAP_FRAMES;
  const channels = ring.map((channel) => {
    const ordered = new Float32Array(TAP_FRAMES);
    ordered.set(channel.subarray(turn));
    ordered.set(channel.subarray(0, turn), TAP_FRAMES - turn);
    return base64(ordered);
  });
  const heardFrame = Math.round(clock * device.sampleRate) - behind;
  const limiter = graph.latencyFrames;
  const late = playing.figures().lateWindows;
  const length = playing.output.frames;
  const frames = TAP_FRAMES;
  return { late, begin, end, frames, channels, position, heardFrame, limiter, length };
}

function base64(samples: Float32Array): string {
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  }
  return btoa(text);
}

/** Renders some frames of all stems as they are played: window after window, at their frames. */
async function rendered(
  description: Description,
  start: number,
  frames: number,
): Promise<{ samples: Float32Array[]; windows: number }> {
  const audio = new DecodedAudio();
  const { signal } = new AbortController();
  const readers = await openStems(outputOf(description), audio, new Meter(), signal);
  const windows = new Windows(readers, audio);
  const limits = { ...description, loop: null, twentieths: 20 };
  const offline = new OfflineAudioContext(2 * readers.length, frames, description.rateHz);
  const merger = new ChannelMergerNode(offline, { numberOfInputs: 2 * readers.length });
  merger.connect(offline.destination);
  let next: number | null = start;
  let number = 0;
  for (; next !== null && next < start + frames; number += 1) {
    const most = windowFrames(number, limits.rateHz, windows.frameBytes);
    const cut = cutPiece(next, most, limits);
    if (cut === null) break;
    const window = await windows.load(cut, signal);
    window.buffers.forEach((buffer, stem) => {
      const source = new AudioBufferSourceNode(offline, { buffer });
      const splitter = new ChannelSplitterNode(offline, { numberOfOutputs: 2 });
      source.connect(splitter);
      splitter.connect(merger, 0, 2 * stem);
      splitter.connect(merger, buffer.numberOfChannels - 1, 2 * stem + 1);
      source.start((cut.start - start) / description.rateHz);
    });
    next = cut.next;
  }
  const result = await offline.startRendering();
  const samples = Array.from({ length: 2 * readers.length }, (_, n) => result.getChannelData(n));
  return { samples, windows: number };
}

/** The largest difference between what is rendered and a file of float samples, by channel. */
async function renderError(
  description: Description,
  start: number,
  frames: number,
  referenceUrl: string,
): Promise<{ error: number; windows: number }> {
  const { samples, windows } = await rendered(description, start, frames);
  const reference = new Float32Array(await (await fetch(referenceUrl)).arrayBuffer());
  return { error: largest(samples, (channel, at) => reference[channel * frames + at] ?? 0), windows };
}

/** The same against the whole files, decoded by this browser at once. */
async function wholeFileError(
  description: Description,
  start: number,
  frames: number,
): Promise<{ error: number; windows: number }> {
  const { samples, windows } = await rendered(description, start, frames);
  const decoder = new OfflineAudioContext(1, 1, description.rateHz);
  const channels: Float32Array[] = [];
  for (const { file } of description.stems) {
    const bytes = await (await fetch(file.url)).arrayBuffer();
    const whole = await decoder.decodeAudioData(bytes);
    channels.push(whole.getChannelData(0), whole.getChannelData(whole.numberOfChannels - 1));
  }
  const error = largest(samples, (channel, at) => channels[channel]?.[start + at] ?? 0);
  return { error, windows };
}

function largest(samples: Float32Array[], expected: (channel: number, at: number) => number): number {
  let error = 0;
  samples.forEach((channel, number) => {
    channel.forEach((sample, at) => {
      error = Math.max(error, Math.abs(sample - expected(number, at)));
    });
  });
  return error;
}

/** Seeks to one frame after the other while it plays; gives the ms to sound of each. */
async function seekTimes(frames: number[]): Promise<{ heard: number[]; told: number[] }> {
  const heard: number[] = [];
  const told: number[] = [];
  for (const frame of frames) {
    heard.push(await timeToSound(() => opened(player).seek(frame)));
    told.push(opened(player).figures().firstSoundMs ?? Number.NaN);
  }
  return { heard, told };
}

Object.assign(window, {
  engine: {
    open,
    timeToOpen,
    timeToSound,
    seekTimes,
    recorded,
    renderError,
    wholeFileError,
    player: () => opened(player),
    deviceTime: () => opened(context).currentTime,
    close: async () => {
      await player?.close();
      player = null;
    },
  },
});
