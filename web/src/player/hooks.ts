/** React's view of what lives outside of it. */

import { type RefObject, useEffect, useSyncExternalStore } from "react";
import type { PlayerState, StemPlayer } from "../engine/contract";
import type { Cell } from "./cell";
import type { Controls } from "./controls";
import type { Marker, Markers } from "./markers";
import type { Span } from "./span";

export function usePlayerState(player: StemPlayer): PlayerState {
  return useSyncExternalStore(
    (listener) => player.subscribe(listener),
    () => player.state,
  );
}

export function useCell<Value>(cell: Cell<Value>): Value {
  return useSyncExternalStore(cell.subscribe, () => cell.value);
}

export function useMarkers(markers: Markers): readonly Marker[] {
  return useSyncExternalStore(markers.subscribe, () => markers.all);
}

/**
 * Keep an element of its lane's width moved to where the playhead stands in what is shown.
 * React does not render for it.
 */
export function usePlayhead(
  line: RefObject<HTMLElement | null>,
  controls: Controls,
  shown: () => Span,
): void {
  useEffect(() => {
    const place = (positionS: number) => {
      const { start, length } = shown();
      const percent = (100 * (positionS - start)) / length;
      const style = line.current?.style;
      if (style) style.transform = `translateX(${percent.toFixed(3)}%)`;
    };
    const stops = [
      controls.ticker.add(place),
      controls.view.subscribe(() => place(controls.positionS)),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [line, controls, shown]);
}
