import { expect, test } from "vitest";
import type { Output } from "../api/client";
import { playableOf } from "./playable";

function outputOf(files: readonly string[], stem: Record<string, unknown>, key = "1"): Output {
  return {
    output_id: "7",
    profile_name: "band",
    output_name: "practice_12345678",
    recording_id: "3",
    recording_name: "Practice",
    job_id: null,
    stems: ["vocals"],
    format: "mp3",
    bytes: 9,
    completed_at: "2026-11-24T20:00:00Z",
    urls_expire_at: "2026-11-25T02:00:00Z",
    metadata: {
      recording: { frames: 44_101, rate_hz: 44_100 },
      encoding: { rate_hz: 44_100 },
      stems: { vocals: { peak_amplitude: 0.5, stem_gain_adjustment_db: -3.25, ...stem } },
    },
    files: files.map((name, number) => ({
      name,
      bytes: 100 + number,
      sha256: "",
      content_type: "",
      url: `/api/media/${name}?key=${key}`,
    })),
  };
}

const never = () => Promise.reject(new Error("not asked for"));

test("the rendition of an MP3 file is played, and counts in its own rate", () => {
  const files = ["v.mp3", "v.player.opus", "v.player.opus.index.json", "v.peaks-1024.dat"];
  const stem = {
    stem_url: "v.mp3",
    companion_urls: files.slice(1, 3),
    peaks_urls: ["v.peaks-1024.dat"],
  };

  const playable = playableOf(outputOf(files, stem), never);

  expect(playable).toMatchObject({ id: "7", name: "Practice", rateHz: 48_000, frames: 48_002 });
  expect(playable.stems).toEqual([
    {
      name: "vocals",
      encoding: "opus",
      file: { url: "/api/media/v.player.opus?key=1", bytes: 101 },
      index: { url: "/api/media/v.player.opus.index.json?key=1", bytes: 102 },
      peaks: new Map([[1024, { url: "/api/media/v.peaks-1024.dat?key=1", bytes: 103 }]]),
      gainDb: -3.25,
      isSilent: false,
    },
  ]);
});

test("a FLAC file is played itself, at the recording's rate", () => {
  const stem = { stem_url: "v.flac", peak_amplitude: 0 };

  const playable = playableOf(outputOf(["v.flac"], stem), never);

  expect(playable).toMatchObject({ rateHz: 44_100, frames: 44_101 });
  expect(playable.stems[0]).toMatchObject({ encoding: "flac", index: null, isSilent: true });
});

test("fresh addresses come from the API", async () => {
  const stem = { stem_url: "v.wav" };
  const playable = playableOf(outputOf(["v.wav"], stem), async () =>
    outputOf(["v.wav"], stem, "2"),
  );

  expect((await playable.renew()).stems[0]?.file.url).toBe("/api/media/v.wav?key=2");
});

test("an output that says too little of itself is refused", () => {
  expect(() => playableOf(outputOf([], { stem_url: "v.wav" }), never)).toThrow("v.wav");
  expect(() => playableOf(outputOf(["v.mp3"], { stem_url: "v.mp3" }), never)).toThrow("rendition");
});
