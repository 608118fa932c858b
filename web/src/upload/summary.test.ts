import { expect, test } from "vitest";
import type { UploadItem } from "./queue";
import { summary } from "./summary";

const item = (stage: UploadItem["stage"], isPaused = false): UploadItem => ({
  id: 1,
  name: "take.wav",
  bytes: 1000,
  profile: "band",
  stage,
  isPaused,
  doneBytes: 0,
  bytesPerSecond: null,
  leftS: null,
  looksOdd: false,
  held: null,
  problem: null,
  finished: null,
});

test("says nothing of nothing", () => expect(summary([])).toBe(""));

test("counts files by how they stand", () => {
  const items = [item("uploading"), item("reading"), item("waiting"), item("waiting", true)];
  expect(summary(items)).toBe("4 files: 2 being sent, 1 waiting, 1 paused.");
  expect(summary([item("failed")])).toBe("1 file: 1 not taken.");
});

test("does not change while bytes go by", () => {
  expect(summary([{ ...item("uploading"), doneBytes: 10 }])).toBe(
    summary([{ ...item("uploading"), doneBytes: 900, leftS: 3 }]),
  );
});
