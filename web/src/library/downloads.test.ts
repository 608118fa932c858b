import { expect, test } from "vitest";
import type { Output } from "../api/client";
import { filePath, stemFiles, zipPath } from "./downloads";
import { output } from "./recording.fixture";

const file = (name: string, bytes: number) => ({
  name,
  bytes,
  sha256: "0".repeat(64),
  content_type: "audio/ogg",
  url: "/x",
});

const view = (metadata: Record<string, unknown>): Output => ({
  ...output(),
  metadata,
  files: [file("vocals.opus", 7), file("vocals.png", 1), file("rest of it.opus", 9)],
  urls_expire_at: "2026-11-24T19:00:00Z",
});

test("each stem is downloaded as the file that the metadata name", () => {
  const stems = {
    accompaniment: { stem_url: "rest of it.opus" },
    vocals: { stem_url: "vocals.opus" },
  };
  expect(stemFiles(view({ stems }))).toEqual([
    { stem: "vocals", file: "vocals.opus", bytes: 7 },
    { stem: "accompaniment", file: "rest of it.opus", bytes: 9 },
  ]);
});

test.each([{}, { stems: null }, { stems: { vocals: "vocals.opus" } }, { stems: { vocals: {} } }])(
  "metadata that say nothing of a stem's file offer none: %j",
  (metadata) => {
    expect(stemFiles(view(metadata))).toEqual([]);
  },
);

test("addresses hold any file's name", () => {
  expect(zipPath(output())).toBe("/api/outputs/o1/zip");
  expect(filePath(output(), "rest of it.opus")).toBe("/api/outputs/o1/files/rest%20of%20it.opus");
});
