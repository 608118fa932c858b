/**
 * Links that open an output at a time, with a mix:
 *
 *     /play/39d331c4?t=83.5&mix=vocals:-3:m,drums:0:s:p-20&speed=0.8&pitch=-2&loop=12.5-18
 *
 * A stem is its name, its volume in dB (`off` is silence), `m` if muted, `s` if soloed, `p` with
 * the pan in percent. `master` is in dB, `level=off` plays stems as they are. What makes no sense
 * is ignored; without `mix` a link says only the time.
 */

import {
  isNumber,
  loopFrom,
  PLAIN_STEM,
  panFrom,
  type Settings,
  type StemNote,
  semitonesFrom,
  speedFrom,
  volumeFrom,
} from "./settings";

const SILENCE = "off";
const MOST_STEMS = 32;

export interface Linked {
  readonly positionS: number | null;
  readonly settings: Settings | null;
}

/** The query of a link, beginning with `?`. */
export function linkTo(positionS: number, settings: Settings): string {
  const stems = Object.entries(settings.stems).map(([name, stem]) => stemText(name, stem));
  const parts = [`t=${rounded(positionS)}`, `mix=${stems.join(",")}`];
  if (settings.masterDb !== 0) parts.push(`master=${volumeText(settings.masterDb)}`);
  if (!settings.isLevelled) parts.push("level=off");
  if (settings.speed !== 1) parts.push(`speed=${settings.speed}`);
  if (settings.semitones !== 0) parts.push(`pitch=${settings.semitones}`);
  if (settings.loop) {
    parts.push(`loop=${rounded(settings.loop.startS)}-${rounded(settings.loop.endS)}`);
  }
  return `?${parts.join("&")}`;
}

export function linked(query: string): Linked {
  const fields = new URLSearchParams(query);
  const positionS = numberIn(fields.get("t"));
  return {
    positionS: positionS !== undefined && positionS >= 0 ? positionS : null,
    settings: fields.has("mix") ? settingsIn(fields) : null,
  };
}

function settingsIn(fields: URLSearchParams): Settings {
  const stems = (fields.get("mix") ?? "").split(",").filter(Boolean).slice(0, MOST_STEMS);
  const masterDb = volumeIn(fields.get("master"));
  const [startS, endS] = (fields.get("loop") ?? "").split("-").map(numberIn);
  return {
    stems: Object.fromEntries(stems.map(stemIn)),
    masterDb: masterDb === undefined ? 0 : masterDb,
    isLevelled: fields.get("level") !== "off",
    speed: speedFrom(numberIn(fields.get("speed"))) ?? 1,
    semitones: semitonesFrom(numberIn(fields.get("pitch"))) ?? 0,
    loop: loopFrom(startS, endS) ?? null,
  };
}

function stemText(name: string, stem: StemNote): string {
  // Twice: what reads the query takes the first off, before stems are told apart.
  const words = [encodeURIComponent(encodeURIComponent(name)), volumeText(stem.volumeDb)];
  if (stem.isMuted) words.push("m");
  if (stem.isSoloed) words.push("s");
  if (stem.pan !== 0) words.push(`p${Math.round(stem.pan * 100)}`);
  return words.join(":");
}

function stemIn(text: string): readonly [string, StemNote] {
  const [name = "", volume = "", ...words] = text.split(":");
  const volumeDb = volumeIn(volume);
  const pan = words.find((word) => word.startsWith("p"))?.slice(1);
  const percent = numberIn(pan ?? null);
  return [
    decoded(name),
    {
      ...PLAIN_STEM,
      volumeDb: volumeDb === undefined ? 0 : volumeDb,
      isMuted: words.includes("m"),
      isSoloed: words.includes("s"),
      pan: panFrom(percent === undefined ? undefined : percent / 100) ?? 0,
    },
  ];
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function volumeText(volumeDb: number | null): string {
  return volumeDb === null ? SILENCE : String(rounded(volumeDb));
}

function volumeIn(text: string | null): number | null | undefined {
  return text === SILENCE ? null : volumeFrom(numberIn(text));
}

function numberIn(text: string | null): number | undefined {
  if (text === null || text.trim() === "") return undefined;
  const number = Number(text);
  return isNumber(number) ? number : undefined;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
