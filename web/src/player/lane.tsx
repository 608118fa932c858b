/** The column in which time runs from left to right: waveforms, the ruler, what lies over them. */

import { type ReactNode, useCallback, useEffect, useRef } from "react";
import { clock } from "../ui/format";
import type { Controls } from "./controls";
import { drawColumns, keepDrawn, type Watch } from "./drawing";
import { useCell, useMarkers, usePlayerState, usePlayhead } from "./hooks";
import type { Peaks } from "./peaks";
import { tickS, whole } from "./span";

/** A stem's waveform, as far as it is in the view. */
export function StemLane(props: { controls: Controls; peaks: Peaks; stem: string }) {
  const { controls, peaks, stem } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const drawn = canvas.current;
    if (!drawn) return;
    const arrival: Watch = (redraw) =>
      peaks.subscribe((arrived) => {
        if (arrived === stem) redraw();
      });
    return keepDrawn(drawn, [arrival, controls.view.subscribe], (context, width, height) => {
      const columns = peaks.columns(stem, controls.view.span, width);
      drawColumns(context, columns, height, peaks.loudest);
    });
  }, [controls, peaks, stem]);
  return (
    <ViewLane controls={controls} kind="wave">
      <canvas ref={canvas} />
    </ViewLane>
  );
}

/** Times of what is in the view, markers, and the edges of the loop, to be dragged. */
export function Ruler({ controls }: { controls: Controls }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const drawn = canvas.current;
    if (!drawn) return;
    return keepDrawn(drawn, [controls.view.subscribe], (context, width, height) => {
      drawTicks(context, controls, width, height);
    });
  }, [controls]);
  return (
    <ViewLane controls={controls} kind="ruler">
      <canvas ref={canvas} />
      <LoopEdges controls={controls} />
    </ViewLane>
  );
}

/** The whole recording, with what is in the view and the loop on it. */
export function Overview({ controls, peaks }: { controls: Controls; peaks: Peaks }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const { durationS } = controls;
  const all = useCallback(() => whole(durationS), [durationS]);
  usePlayhead(line, controls, all);
  useEffect(() => {
    const drawn = canvas.current;
    if (!drawn) return;
    const arrival: Watch = (redraw) => peaks.subscribe(redraw);
    return keepDrawn(drawn, [arrival], (context, width, height) => {
      drawColumns(context, peaks.overview(durationS, width), height, peaks.loudest);
    });
  }, [peaks, durationS]);
  return (
    <div className="lane overview" data-lane="overview" aria-hidden="true">
      <canvas ref={canvas} />
      <LoopShade controls={controls} />
      <Flags controls={controls} />
      <div className="overview-view" />
      <div ref={line} className="playhead" />
    </div>
  );
}

interface ViewLaneProps {
  controls: Controls;
  kind: "wave" | "ruler";
  children: ReactNode;
}

function ViewLane({ controls, kind, children }: ViewLaneProps) {
  const line = useRef<HTMLDivElement>(null);
  const shown = useCallback(() => controls.view.span, [controls]);
  usePlayhead(line, controls, shown);
  return (
    <div className="lane" data-lane={kind} aria-hidden="true">
      {children}
      <LoopShade controls={controls} />
      <Flags controls={controls} />
      <div ref={line} className="playhead" />
    </div>
  );
}

function LoopShade({ controls }: { controls: Controls }) {
  const loop = useLoop(controls);
  if (!loop) return null;
  return (
    <div
      className="loop-shade"
      data-resting={loop.isResting || undefined}
      style={{ "--at": loop.startS, "--length": loop.endS - loop.startS }}
    />
  );
}

function LoopEdges({ controls }: { controls: Controls }) {
  const loop = useLoop(controls);
  if (!loop) return null;
  return (
    <>
      <div className="loop-edge" data-edge="start" style={{ "--at": loop.startS }}>
        A
      </div>
      <div className="loop-edge" data-edge="end" style={{ "--at": loop.endS }}>
        B
      </div>
    </>
  );
}

function Flags({ controls }: { controls: Controls }) {
  return useMarkers(controls.markers).map((marker) => (
    <div
      key={marker.atS}
      className="flag"
      data-at={marker.atS}
      title={marker.name}
      style={{ "--at": marker.atS }}
    />
  ));
}

/** The loop, on or resting. */
export function useLoop(controls: Controls) {
  const { mix } = usePlayerState(controls.player);
  const resting = useCell(controls.restingLoop);
  const loop = mix.loop ?? resting;
  const { rateHz } = controls.player.output;
  return (
    loop && {
      startS: loop.start / rateHz,
      endS: loop.end / rateHz,
      isResting: mix.loop === null,
    }
  );
}

const TICK_CSS_PX = 84;

function drawTicks(
  context: CanvasRenderingContext2D,
  controls: Controls,
  width: number,
  height: number,
): void {
  const { start, length } = controls.view.span;
  const stepS = tickS((length * TICK_CSS_PX * devicePixelRatio) / width);
  context.font = `${Math.round(12 * devicePixelRatio)}px ${getComputedStyle(context.canvas).fontFamily}`;
  context.textBaseline = "middle";
  for (let index = Math.ceil(start / stepS); index * stepS < start + length; index += 1) {
    const x = Math.round(((index * stepS - start) / length) * width);
    context.fillRect(x, height * 0.6, devicePixelRatio, height * 0.4);
    const text = stepS < 1 ? tenths(index * stepS) : clock(index * stepS + stepS / 1000);
    const textX = x + 5 * devicePixelRatio;
    if (textX + context.measureText(text).width <= width) {
      context.fillText(text, textX, height * 0.5);
    }
  }
}

function tenths(seconds: number): string {
  return `${clock(seconds + 0.001)}.${Math.floor((seconds + 0.001) * 10) % 10}`;
}
