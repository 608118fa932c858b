/** The small waveform of a recording in the list: its arithmetic. */

/** Bars of a picture; one unit wide each. */
export const BARS = 96;

/** Half the height of the picture, whose middle is silence. */
export const HALF = 16;

// Half a bar is drawn, the left one: at two pixels a bar, that is one whole pixel.
const LEFT = 0.25;
// Silence is a line, too.
const LEAST = 0.5;

/**
 * The bars as the path of an SVG picture `BARS` wide and twice `HALF` high, stroked.
 *
 * @param peaks Largest absolute values, evenly spread; the loudest fills the height.
 */
export function waveformPath(peaks: readonly number[]): string {
  const loudest = Math.max(1, ...peaks);
  return barsOf(peaks)
    .map((peak, bar) => {
      const reach = Math.max(LEAST, (peak / loudest) * (HALF - 1));
      return `M${bar + LEFT} ${round(HALF - reach)}V${round(HALF + reach)}`;
    })
    .join("");
}

/** The largest peak in each bar; of fewer peaks than bars, each stands in several. */
export function barsOf(peaks: readonly number[]): number[] {
  return Array.from({ length: BARS }, (_, bar) => {
    const from = Math.floor((bar * peaks.length) / BARS);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * peaks.length) / BARS));
    return Math.max(0, ...peaks.slice(from, to));
  });
}

function round(value: number): number {
  return Math.round(100 * value) / 100;
}
