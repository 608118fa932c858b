/** What changes the sound of all stems together. */

import type { Mix } from "../engine/contract";
import type { Controls } from "./controls";
import { RangeField } from "./range-field";
import { LEAST_DB, MOST_DB, MOST_SEMITONES, SPEED } from "./settings";
import { pitchText, speedText, spokenPitch, spokenSpeed, spokenVolume, volumeText } from "./words";

export function SoundFields({ controls, mix }: { controls: Controls; mix: Mix }) {
  return (
    <div className="sound-fields">
      <RangeField
        name="Speed"
        label="Speed"
        value={mix.speed}
        least={SPEED.least}
        most={SPEED.most}
        step={SPEED.step}
        text={speedText(mix.speed)}
        spoken={spokenSpeed(mix.speed)}
        rest={1}
        isCentred
        onChange={(speed) => controls.setSpeed(speed)}
      />
      <RangeField
        name="Pitch"
        label="Pitch"
        value={mix.semitones}
        least={-MOST_SEMITONES}
        most={MOST_SEMITONES}
        step={1}
        text={pitchText(mix.semitones)}
        spoken={spokenPitch(mix.semitones)}
        rest={0}
        isCentred
        onChange={(semitones) => controls.setSemitones(semitones)}
      />
      <RangeField
        name="Volume of all"
        label="Volume"
        value={Math.max(LEAST_DB, mix.masterDb)}
        least={LEAST_DB}
        most={MOST_DB}
        step={1}
        text={volumeText(mix.masterDb)}
        spoken={spokenVolume(mix.masterDb)}
        rest={0}
        onChange={(volumeDb) => controls.setMaster(volumeDb)}
      />
    </div>
  );
}
