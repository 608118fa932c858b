/** Where in the recording it stands; moved without rendering while it plays. */

import { useEffect, useRef } from "react";
import { spokenClock } from "../ui/format";
import type { Controls } from "./controls";

/** A dragging hand asks for more places than can be heard. */
const SEEK_EVERY_MS = 90;

export function SeekSlider({ controls }: { controls: Controls }) {
  const slider = useRef<HTMLInputElement>(null);
  const isHeld = useRef(false);
  const pending = useRef(0);

  useEffect(() => {
    const show = (positionS: number) => {
      const input = slider.current;
      if (!input || isHeld.current) return;
      const whole = String(Math.floor(positionS));
      if (input.dataset.shown !== whole) {
        input.dataset.shown = whole;
        input.setAttribute("aria-valuetext", spokenClock(positionS));
      }
      input.value = String(positionS);
      input.style.setProperty("--fill-to", `${(100 * positionS) / controls.durationS}%`);
    };
    const end = controls.ticker.add(show);
    return () => {
      end();
      clearTimeout(pending.current);
    };
  }, [controls]);

  const seek = (input: HTMLInputElement) => {
    input.style.setProperty("--fill-to", `${(100 * input.valueAsNumber) / controls.durationS}%`);
    if (pending.current) return;
    pending.current = window.setTimeout(() => {
      pending.current = 0;
      controls.seekTo(input.valueAsNumber);
    }, SEEK_EVERY_MS);
  };

  const letGo = () => {
    isHeld.current = false;
  };

  return (
    <input
      ref={slider}
      className="seek"
      data-seek
      type="range"
      aria-label="Position in the recording"
      aria-valuetext={spokenClock(0)}
      min={0}
      max={controls.durationS}
      step="any"
      defaultValue={0}
      onPointerDown={() => {
        isHeld.current = true;
      }}
      onPointerUp={letGo}
      onPointerCancel={letGo}
      onChange={(event) => seek(event.currentTarget)}
    />
  );
}
