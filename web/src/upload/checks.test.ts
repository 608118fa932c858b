import { expect, test } from "vitest";
import { isHidden, looksLikeAudio, refusalOf } from "./checks";

const file = (name: string, type = "", content = "x") => new File([content], name, { type });

test("refuses an empty file and says what to do", () => {
  expect(refusalOf(file("take.wav", "audio/wav", ""))).toMatch(/empty.*choose another/i);
  expect(refusalOf(file("take.wav"))).toBeNull();
});

test.each(["text/plain", "text/markdown", "image/png", "application/pdf"])(
  "refuses what the browser says is %s before it is sent",
  (type) => {
    expect(refusalOf(file("setlist", type))).toMatch(/no audio or video.*choose the recording/i);
    expect(refusalOf(file("take.wav", type))).toBeNull();
  },
);

test("leaves it to the service to look at what nobody names", () => {
  expect(refusalOf(file("recording"))).toBeNull();
  expect(refusalOf(file("recording", "application/octet-stream"))).toBeNull();
});

test.each(["take.wav", "TAKE.WAV", "Voice 001.m4a", "a.b.flac", "clip.MOV", "probe.opus"])(
  "takes %s for audio by its ending",
  (name) => expect(looksLikeAudio(file(name))).toBe(true),
);

test.each(["notes.txt", "wav", ".wav", "take.wav.reapeaks", "take"])(
  "does not take %s for audio",
  (name) => expect(looksLikeAudio(file(name))).toBe(false),
);

test("takes a file for audio if the browser says that it is", () => {
  expect(looksLikeAudio(file("recording", "audio/mp4"))).toBe(true);
  expect(looksLikeAudio(file("recording", "application/pdf"))).toBe(false);
});

test("knows what systems hide", () => {
  expect([".DS_Store", "._take.wav", "Thumbs.db", "__MACOSX"].every(isHidden)).toBe(true);
  expect(isHidden("take.wav")).toBe(false);
});
