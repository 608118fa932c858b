/** One stem: its name and its part in the mix to the left, its waveform to the right. */

import { memo, useEffect, useRef } from "react";
import type { StemSettings } from "../engine/contract";
import { Button } from "../ui/button";
import type { Controls } from "./controls";
import { StemLane } from "./lane";
import type { Peaks } from "./peaks";
import { RangeField } from "./range-field";
import { LEAST_DB, MOST_DB } from "./settings";
import { panText, spokenPan, spokenVolume, stemTitle, volumeText } from "./words";

interface Props {
  controls: Controls;
  peaks: Peaks;
  name: string;
  /** Its place in the output, from 0: its colour, and its key. */
  index: number;
  settings: StemSettings;
  /** Whether some stem is soloed. */
  hasSolo: boolean;
  /** Whether nothing can be heard in it at all. */
  isSilent: boolean;
}

const COLOURS = 6;

export const StemRow = memo(function StemRow(props: Props) {
  const { controls, peaks, name, index, settings, hasSolo, isSilent } = props;
  const title = stemTitle(name);
  const isUnheard = settings.isMuted || (hasSolo && !settings.isSoloed);
  return (
    <li
      className="stem"
      data-stem={name}
      data-unheard={isUnheard || undefined}
      style={{ "--stem": `var(--stem-${(index % COLOURS) + 1})` }}
    >
      <fieldset className="stem-controls">
        <legend className="visually-hidden">{title}</legend>
        <div className="stem-head">
          <span className="stem-colour" aria-hidden="true" />
          <div className="stem-title">
            <span className="stem-name" title={title}>
              {title}
            </span>
            <span className="stem-note quiet">{noteOf(settings, hasSolo, isSilent)}</span>
          </div>
          <Toggle
            letter="M"
            label={`Mute ${title}`}
            isOn={settings.isMuted}
            onClick={() => controls.toggleMute(name)}
          />
          <Toggle
            letter="S"
            label={`Solo ${title}`}
            isOn={settings.isSoloed}
            onClick={() => controls.toggleSolo(name)}
          />
        </div>
        <div className="stem-sliders">
          <RangeField
            name={`Volume of ${title}`}
            value={Math.max(LEAST_DB, settings.volumeDb)}
            least={LEAST_DB}
            most={MOST_DB}
            step={1}
            text={volumeText(settings.volumeDb)}
            spoken={spokenVolume(settings.volumeDb)}
            rest={0}
            onChange={(volumeDb) => controls.setVolume(name, volumeDb)}
          />
          <RangeField
            name={`Pan of ${title}`}
            value={settings.pan}
            least={-1}
            most={1}
            step={0.1}
            text={panText(settings.pan)}
            spoken={spokenPan(settings.pan)}
            rest={0}
            isCentred
            onChange={(pan) => controls.player.setStem(name, { pan })}
          />
        </div>
      </fieldset>
      <Meter controls={controls} stem={name} />
      <StemLane controls={controls} peaks={peaks} stem={name} />
    </li>
  );
});

interface ToggleProps {
  letter: string;
  label: string;
  isOn: boolean;
  onClick: () => void;
}

function Toggle({ letter, label, isOn, onClick }: ToggleProps) {
  return (
    <Button label={label} hidesLabel aria-pressed={isOn} data-letter={letter} onClick={onClick}>
      <span aria-hidden="true">{letter}</span>
    </Button>
  );
}

/** Why a stem is not heard, for who does not see that it is dimmed. */
function noteOf(settings: StemSettings, hasSolo: boolean, isSilent: boolean): string {
  if (isSilent) return "silent";
  if (settings.isMuted) return "muted";
  return hasSolo && !settings.isSoloed ? "not soloed" : "";
}

const FLOOR_DB = -54;

/** How loud it is in this moment, for the eye alone. */
export function Meter({ controls, stem }: { controls: Controls; stem: string | null }) {
  const bar = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      controls.ticker.add(() => {
        const style = bar.current?.style;
        if (style) style.transform = `scaleY(${shareOf(controls.player.level(stem)).toFixed(3)})`;
      }),
    [controls, stem],
  );
  return (
    <div className="meter" aria-hidden="true">
      <div ref={bar} className="meter-level" />
    </div>
  );
}

/** How much of a meter a level fills: even steps for even steps in dB. */
export function shareOf(level: number): number {
  return level > 0 ? Math.min(1, Math.max(0, 1 - (20 * Math.log10(level)) / FLOOR_DB)) : 0;
}
