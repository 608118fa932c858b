/** Waveforms on canvases: of the size that is seen, never of the recording's. */

import type { Columns } from "./peaks";

const FULL_SCALE = 128;
/** Quiet recordings are not blown up to nothing but noise. */
const LEAST_SCALE = 0.05;

/** Where a sample of `value` (128 is full scale) is drawn in a picture of `height` pixels. */
export function heightOf(value: number, height: number, loudest: number): number {
  const scale = FULL_SCALE * Math.max(LEAST_SCALE, loudest);
  const middle = height / 2;
  return middle - (value / scale) * middle;
}

/** Draw the columns, one pixel wide each, as one filled shape. */
export function drawColumns(
  context: CanvasRenderingContext2D,
  columns: Columns,
  height: number,
  loudest: number,
): void {
  const count = columns.minima.length;
  context.beginPath();
  // Half a pixel each way: silence is a line and not a gap.
  for (let x = 0; x < count; x += 1) {
    const y = heightOf(columns.maxima[x] ?? 0, height, loudest) - 0.5;
    context.lineTo(x, y);
    context.lineTo(x + 1, y);
  }
  for (let x = count - 1; x >= 0; x -= 1) {
    const y = heightOf(columns.minima[x] ?? 0, height, loudest) + 0.5;
    context.lineTo(x + 1, y);
    context.lineTo(x, y);
  }
  context.closePath();
  context.fill();
}

/** What makes a picture out of date, other than its size and the colours. */
export type Watch = (redraw: () => void) => () => void;

/**
 * Keep a canvas drawn: at first, and once per frame when its size, the theme or what is watched
 * has changed. `draw` is given device pixels; the canvas' text colour is the colour to draw with.
 * Gives what ends that.
 */
export function keepDrawn(
  canvas: HTMLCanvasElement,
  watches: readonly Watch[],
  draw: (context: CanvasRenderingContext2D, width: number, height: number) => void,
): () => void {
  let asked = 0;
  const redraw = () => {
    asked = 0;
    const context = canvas.getContext("2d");
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (!context || width === 0 || height === 0) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    context.clearRect(0, 0, width, height);
    context.fillStyle = getComputedStyle(canvas).color;
    draw(context, width, height);
  };
  const ask = () => {
    asked ||= requestAnimationFrame(redraw);
  };
  const stops = [...watches, watchSize(canvas), watchColours].map((watch) => watch(ask));
  ask();
  return () => {
    cancelAnimationFrame(asked);
    for (const stop of stops) stop();
  };
}

function watchSize(canvas: HTMLCanvasElement): Watch {
  return (redraw) => {
    const observer = new ResizeObserver(redraw);
    observer.observe(canvas);
    return () => observer.disconnect();
  };
}

/** The theme is the system's or the page's own. */
function watchColours(redraw: () => void): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  const observer = new MutationObserver(redraw);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => {
    dark.removeEventListener("change", redraw);
    observer.disconnect();
  };
}
