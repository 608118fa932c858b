/** What this browser keeps of a recording: how it was heard, where, and its markers. */

import { recall, remember } from "../ui/memory";
import { LONGEST_NAME, type Marker, MOST_MARKERS } from "./markers";
import {
  isNumber,
  loopFrom,
  panFrom,
  type Settings,
  type StemNote,
  semitonesFrom,
  speedFrom,
  volumeFrom,
} from "./settings";
import type { Span } from "./span";

export interface Kept {
  readonly settings: Settings;
  readonly positionS: number;
  readonly span: Span;
  readonly isFollowing: boolean;
  readonly markers: readonly Marker[];
}

const VERSION = 1;
/** Outputs of one recording have stems of other names: all are kept, up to this many. */
const MOST_STEMS = 32;

/** Keep it. Stems that another output of the recording has keep their settings. */
export function keep(recordingId: string, kept: Kept): void {
  const before = keptOf(recordingId)?.settings.stems;
  const stems = { ...before, ...kept.settings.stems };
  const text = JSON.stringify({
    version: VERSION,
    ...kept,
    settings: { ...kept.settings, stems },
  });
  remember(keyOf(recordingId), text);
}

/** What was kept; null if nothing was, or nothing that can be read. */
export function keptOf(recordingId: string): Kept | null {
  const text = recall(keyOf(recordingId));
  if (text === null) return null;
  try {
    return keptFrom(JSON.parse(text));
  } catch {
    return null;
  }
}

export function keptFrom(value: unknown): Kept | null {
  if (!isRecord(value) || value.version !== VERSION || !isRecord(value.settings)) return null;
  const span = isRecord(value.span) ? value.span : {};
  return {
    settings: settingsFrom(value.settings),
    positionS: isNumber(value.positionS) ? Math.max(0, value.positionS) : 0,
    span: {
      start: isNumber(span.start) ? span.start : 0,
      length: isNumber(span.length) && span.length > 0 ? span.length : Number.MAX_VALUE,
    },
    isFollowing: value.isFollowing !== false,
    markers: markersFrom(value.markers),
  };
}

function settingsFrom(value: Record<string, unknown>): Settings {
  const stems = isRecord(value.stems) ? Object.entries(value.stems).slice(0, MOST_STEMS) : [];
  const loop = isRecord(value.loop) ? loopFrom(value.loop.startS, value.loop.endS) : undefined;
  const masterDb = volumeFrom(value.masterDb);
  return {
    stems: Object.fromEntries(stems.map(([name, stem]) => [name, stemFrom(stem)] as const)),
    masterDb: masterDb === undefined ? 0 : masterDb,
    isLevelled: value.isLevelled !== false,
    speed: speedFrom(value.speed) ?? 1,
    semitones: semitonesFrom(value.semitones) ?? 0,
    loop: loop ?? null,
  };
}

function stemFrom(value: unknown): StemNote {
  const stem = isRecord(value) ? value : {};
  const volumeDb = volumeFrom(stem.volumeDb);
  return {
    volumeDb: volumeDb === undefined ? 0 : volumeDb,
    isMuted: stem.isMuted === true,
    isSoloed: stem.isSoloed === true,
    pan: panFrom(stem.pan) ?? 0,
  };
}

function markersFrom(value: unknown): Marker[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST_MARKERS).flatMap((each: unknown) => {
    if (!isRecord(each) || !isNumber(each.atS) || typeof each.name !== "string") return [];
    return each.atS >= 0 ? [{ atS: each.atS, name: each.name.slice(0, LONGEST_NAME) }] : [];
  });
}

function keyOf(recordingId: string): string {
  return `stemset.player.${recordingId}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
