/** The position in figures; a click makes it a field to type a time into. */

import { useEffect, useRef, useState } from "react";
import { clock } from "../ui/format";
import type { Controls } from "./controls";
import { exactClock, typedTime } from "./words";

export function PositionField({ controls }: { controls: Controls }) {
  const [isTyping, setTyping] = useState(false);
  const shown = useRef<HTMLSpanElement>(null);
  useEffect(
    () =>
      controls.ticker.add((positionS) => {
        const text = clock(positionS);
        if (shown.current && shown.current.textContent !== text) shown.current.textContent = text;
      }),
    [controls],
  );
  if (isTyping) {
    return (
      <TimeForm
        name="Go to this time"
        seconds={controls.positionS}
        longestS={controls.durationS}
        onTime={(seconds) => {
          controls.seekTo(seconds);
          setTyping(false);
        }}
        onLeave={() => setTyping(false)}
      />
    );
  }
  return (
    <button
      type="button"
      className="position numeric"
      title="Go to a time"
      onClick={() => setTyping(true)}
    >
      <span className="visually-hidden">Go to a time. Now at </span>
      <span ref={shown}>{clock(controls.positionS)}</span>
      <span className="quiet position-length">
        <span aria-hidden="true"> / </span>
        <span className="visually-hidden"> of </span>
        {clock(controls.durationS)}
      </span>
    </button>
  );
}

interface TimeFormProps {
  name: string;
  seconds: number;
  longestS: number;
  onTime: (seconds: number) => void;
  onLeave: () => void;
}

function TimeForm({ name, seconds, longestS, onTime, onLeave }: TimeFormProps) {
  const [isWrong, setWrong] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.select();
  }, []);
  const submit = () => {
    const typed = typedTime(input.current?.value ?? "");
    if (typed === null || typed > longestS) setWrong(true);
    else onTime(typed);
  };
  return (
    <form
      className="time-form"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <input
        ref={input}
        className="time-input numeric"
        aria-label={`${name}, as in 1:23`}
        aria-invalid={isWrong}
        inputMode="text"
        autoComplete="off"
        defaultValue={exactClock(seconds)}
        onBlur={onLeave}
        onKeyDown={(event) => {
          if (event.key === "Escape") onLeave();
        }}
      />
      <span className="time-wrong" role="status">
        {isWrong ? `Type a time up to ${clock(longestS)}, as in 1:23.` : ""}
      </span>
    </form>
  );
}
