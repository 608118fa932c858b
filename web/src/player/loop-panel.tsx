/** The loop in figures: its ends set here, typed, or nudged. */

import { useId } from "react";
import { Button } from "../ui/button";
import type { Controls } from "./controls";
import { useLoop } from "./lane";
import { exactClock, typedTime } from "./words";

const NUDGE_S = 0.1;

export function LoopPanel({ controls }: { controls: Controls }) {
  const loop = useLoop(controls);
  return (
    <section className="panel" aria-label="Loop">
      <div className="panel-head">
        <h3>Loop</h3>
        <Button
          icon="loop"
          label={loop && !loop.isResting ? "Loop is on" : "Loop is off"}
          aria-pressed={loop !== null && !loop.isResting}
          onClick={() => controls.toggleLoop()}
        />
        <Button label="Clear" disabled={!loop} onClick={() => controls.clearLoop()} />
      </div>
      <LoopEnd
        label="Start"
        atS={loop?.startS ?? null}
        onHere={() => controls.setLoopStart(controls.positionS)}
        onMove={(atS) => controls.setLoopStart(Math.max(0, atS))}
      />
      <LoopEnd
        label="End"
        atS={loop?.endS ?? null}
        onHere={() => controls.endLoopHere()}
        onMove={(atS) => controls.setLoopEnd(Math.min(controls.durationS, atS))}
      />
    </section>
  );
}

interface LoopEndProps {
  label: "Start" | "End";
  atS: number | null;
  onHere: () => void;
  onMove: (atS: number) => void;
}

function LoopEnd({ label, atS, onHere, onMove }: LoopEndProps) {
  const id = useId();
  const of = `${label.toLowerCase()} of the loop`;
  return (
    <div className="loop-end">
      <label htmlFor={id}>{label}</label>
      <Button
        label={`Move the ${of} 0.1 seconds earlier`}
        hidesLabel
        disabled={atS === null}
        onClick={() => atS !== null && onMove(atS - NUDGE_S)}
      >
        <span aria-hidden="true">−</span>
      </Button>
      <input
        key={atS}
        id={id}
        className="time-input numeric"
        autoComplete="off"
        placeholder="–:––"
        defaultValue={atS === null ? "" : exactClock(atS)}
        onBlur={(event) => {
          const typed = typedTime(event.currentTarget.value);
          const shown = atS === null ? "" : exactClock(atS);
          if (event.currentTarget.value === shown) return;
          if (typed === null) event.currentTarget.value = shown;
          else onMove(typed);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
      <Button
        label={`Move the ${of} 0.1 seconds later`}
        hidesLabel
        disabled={atS === null}
        onClick={() => atS !== null && onMove(atS + NUDGE_S)}
      >
        <span aria-hidden="true">+</span>
      </Button>
      <Button label={`Put the ${of} here`} hidesLabel onClick={onHere}>
        <span aria-hidden="true">Here</span>
      </Button>
    </div>
  );
}
