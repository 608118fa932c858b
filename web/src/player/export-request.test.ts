import { expect, test } from "vitest";
import type { PlayableOutput } from "../engine/contract";
import { exportRequest } from "./export-request";
import { FakePlayer } from "./fake-player";

const player = new FakePlayer(100, ["vocals", "drums"]);
const levelled: PlayableOutput = {
  ...player.output,
  stems: player.output.stems.map((stem) => ({ ...stem, gainDb: -10 })),
};
const { mix } = player.state;
const plain = { volumeDb: 0, isMuted: false, isSoloed: false, pan: 0 };

test("gains are the volume and what evens the stems out, together", () => {
  const stems = { ...mix.stems, vocals: { ...plain, volumeDb: -3, pan: -0.5 } };
  const request = exportRequest({ ...mix, stems, masterDb: 2 }, levelled, "wav", false);
  expect(request).toEqual({
    stems: { vocals: { gain_db: -13, pan: -0.5 }, drums: { gain_db: -10, pan: 0 } },
    master_db: 2,
    speed: 1,
    semitones: 0,
    format: "wav",
  });
  const asTheyAre = exportRequest({ ...mix, stems, isLevelled: false }, levelled, "wav", false);
  expect(asTheyAre?.stems.vocals?.gain_db).toBe(-3);
});

test("stems that are not heard are left out", () => {
  const muted = { ...mix.stems, vocals: { ...plain, isMuted: true } };
  const soloed = { ...mix.stems, vocals: { ...plain, isSoloed: true } };
  const silent = { ...mix.stems, vocals: { ...plain, volumeDb: Number.NEGATIVE_INFINITY } };
  const heard = [muted, soloed, silent].map((stems) =>
    Object.keys(exportRequest({ ...mix, stems }, levelled, "mp3", false)?.stems ?? {}),
  );
  expect(heard).toEqual([["drums"], ["vocals"], ["drums"]]);
});

test("there is nothing to export if nothing is heard", () => {
  const masterDb = Number.NEGATIVE_INFINITY;
  expect(exportRequest({ ...mix, masterDb }, levelled, "mp3", false)).toBeNull();
});

test("the loop alone, or the whole recording in spite of a loop", () => {
  const looping = { ...mix, loop: { start: 12_500, end: 18_000 } };
  const ofLoop = exportRequest(looping, levelled, "opus", true);
  expect([ofLoop?.start_s, ofLoop?.end_s]).toEqual([12.5, 18]);
  expect(exportRequest(looping, levelled, "opus", false)).not.toHaveProperty("end_s");
});
