/** What is always at hand, at the bottom of the window. */

import type { PlayerState } from "../engine/contract";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import type { Controls } from "./controls";
import { useLoop } from "./lane";
import { PositionField } from "./position-field";
import { SeekSlider } from "./seek-slider";
import { SoundFields } from "./sound-fields";
import { Meter } from "./stem-row";

const STEP_S = 5;

interface Props {
  controls: Controls;
  state: PlayerState;
  onMore: () => void;
}

export function TransportBar({ controls, state, onMore }: Props) {
  const isPlaying = state.status === "playing" || state.status === "waiting";
  return (
    <section className="transport" aria-label="Playback">
      <SeekSlider controls={controls} />
      <div className="transport-row">
        <div className="transport-group">
          <Button
            kind="bare"
            label={`Back ${STEP_S} seconds`}
            hidesLabel
            onClick={() => controls.seekBy(-STEP_S)}
          >
            <span aria-hidden="true">−{STEP_S}s</span>
          </Button>
          <button
            type="button"
            className="play"
            title={isPlaying ? "Pause" : "Play"}
            disabled={state.status === "opening"}
            onClick={() => controls.playOrPause()}
          >
            <Icon name={isPlaying ? "pause" : "play"} />
            <span className="visually-hidden">{isPlaying ? "Pause" : "Play"}</span>
          </button>
          <Button
            kind="bare"
            label={`Forward ${STEP_S} seconds`}
            hidesLabel
            onClick={() => controls.seekBy(STEP_S)}
          >
            <span aria-hidden="true">+{STEP_S}s</span>
          </Button>
          <PositionField controls={controls} />
        </div>
        <LoopButtons controls={controls} />
        <div className="wide-only">
          <SoundFields controls={controls} mix={state.mix} />
        </div>
        <Meter controls={controls} stem={null} />
        <Button icon="more" label="More controls" hidesLabel onClick={onMore} />
      </div>
      <p className="transport-status" role="status">
        {state.status === "waiting" ? "Waiting for data…" : ""}
      </p>
    </section>
  );
}

function LoopButtons({ controls }: { controls: Controls }) {
  const loop = useLoop(controls);
  const isOn = loop !== null && !loop.isResting;
  return (
    <div className="transport-group">
      <Button
        className="button loop-ends"
        label="Begin the loop here"
        hidesLabel
        onClick={() => controls.setLoopStart(controls.positionS)}
      >
        <span aria-hidden="true">A</span>
      </Button>
      <Button
        icon="loop"
        label="Loop"
        hidesLabel
        aria-pressed={isOn}
        onClick={() => controls.toggleLoop()}
      />
      <Button
        className="button loop-ends"
        label="End the loop here"
        hidesLabel
        onClick={() => controls.endLoopHere()}
      >
        <span aria-hidden="true">B</span>
      </Button>
    </div>
  );
}
