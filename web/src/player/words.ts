/** Values of the player as people read and hear them. */

import { isSilence } from "./settings";

const MINUS = "−";

/** `+2 dB`, `0 dB`, `−3.5 dB`, `off`. */
export function volumeText(volumeDb: number): string {
  return isSilence(volumeDb) ? "off" : `${signed(volumeDb)} dB`;
}

export function spokenVolume(volumeDb: number): string {
  if (isSilence(volumeDb)) return "silent";
  return `${volumeDb < 0 ? "minus " : ""}${tenths(volumeDb)} decibels`;
}

/** `L 40`, `C`, `R 100`. */
export function panText(pan: number): string {
  const percent = Math.round(Math.abs(pan) * 100);
  if (percent === 0) return "C";
  return `${pan < 0 ? "L" : "R"} ${percent}`;
}

export function spokenPan(pan: number): string {
  const percent = Math.round(Math.abs(pan) * 100);
  if (percent === 0) return "centre";
  return `${percent} percent ${pan < 0 ? "left" : "right"}`;
}

/** `0.85×`. */
export function speedText(speed: number): string {
  return `${speed.toFixed(2)}×`;
}

export function spokenSpeed(speed: number): string {
  return speed === 1 ? "original speed" : `${Math.round(speed * 100)} percent`;
}

/** `+2`, `0`, `−3`, in semitones. */
export function pitchText(semitones: number): string {
  return signed(semitones);
}

export function spokenPitch(semitones: number): string {
  if (semitones === 0) return "original pitch";
  const count = Math.abs(semitones);
  return `${count} semitone${count > 1 ? "s" : ""} ${semitones < 0 ? "down" : "up"}`;
}

/** A position to tenths: `4:03.2`. */
export function exactClock(seconds: number): string {
  const inTenths = Math.round(Math.max(0, seconds) * 10);
  const [h, m] = [Math.floor(inTenths / 36_000), Math.floor(inTenths / 600) % 60];
  const s = ((inTenths % 600) / 10).toFixed(1).padStart(4, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** Seconds of what a person types: `83.5`, `1:23.5`, `1:02:33`; null if it is no time. */
export function typedTime(text: string): number | null {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || !parts.every((part) => /^\d+(\.\d*)?$/.test(part))) return null;
  return parts.reduce((seconds, part) => seconds * 60 + Number(part), 0);
}

/** `vocals`, as `Vocals`; `not_vocals` as `Not vocals`. */
export function stemTitle(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function signed(value: number): string {
  const size = tenths(value);
  if (value > 0) return `+${size}`;
  return value < 0 ? `${MINUS}${size}` : size;
}

function tenths(value: number): string {
  return String(Math.round(Math.abs(value) * 10) / 10);
}
