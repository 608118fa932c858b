/** Places that somebody named: go there, name them, take them away. */

import { useEffect, useRef } from "react";
import { Button } from "../ui/button";
import type { Controls } from "./controls";
import { useMarkers } from "./hooks";
import { LONGEST_NAME, type Marker } from "./markers";
import { exactClock } from "./words";

export function MarkerList({ controls }: { controls: Controls }) {
  const { markers } = controls;
  const all = useMarkers(markers);
  return (
    <section className="card marker-card" aria-labelledby="markers">
      <div className="panel-head">
        <h2 id="markers">Markers</h2>
        <Button
          icon="marker"
          label="Add a marker here"
          onClick={() => markers.add(controls.positionS)}
        />
      </div>
      {all.length === 0 ? (
        <p className="quiet">Mark the verse, the solo, the take that worked, while it plays.</p>
      ) : (
        <ul className="marker-list">
          {all.map((marker) => (
            <MarkerItem key={marker.atS} controls={controls} marker={marker} />
          ))}
        </ul>
      )}
    </section>
  );
}

function MarkerItem({ controls, marker }: { controls: Controls; marker: Marker }) {
  const { markers } = controls;
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (input.current) input.current.value = marker.name;
  }, [marker.name]);
  return (
    <li className="marker">
      <Button
        label={`Go to ${marker.name} at `}
        hidesLabel
        onClick={() => controls.seekTo(marker.atS)}
      >
        <span className="numeric">{exactClock(marker.atS)}</span>
      </Button>
      <input
        ref={input}
        className="marker-name"
        aria-label={`Name of the marker at ${exactClock(marker.atS)}`}
        maxLength={LONGEST_NAME}
        defaultValue={marker.name}
        onBlur={(event) => {
          const name = event.currentTarget.value.trim();
          if (name === "") event.currentTarget.value = marker.name;
          else if (name !== marker.name) markers.rename(marker, name);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
      <Button
        kind="bare"
        icon="close"
        label={`Remove ${marker.name}`}
        hidesLabel
        onClick={() => markers.remove(marker)}
      />
    </li>
  );
}
