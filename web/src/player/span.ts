/** The stretch of a recording that is shown, and how it moves. Times are in seconds. */

export interface Span {
  readonly start: number;
  readonly length: number;
}

/** The most that can be zoomed in. */
const SHORTEST_S = 2;
/** Where in the view the playhead stands after a page jump. */
const LEAD = 0.05;

export function whole(durationS: number): Span {
  return { start: 0, length: durationS };
}

/** The nearest span that lies in the recording and is long enough to be seen. */
export function fitted(span: Span, durationS: number): Span {
  const length = Math.min(durationS, Math.max(Math.min(SHORTEST_S, durationS), span.length));
  const start = Math.min(Math.max(0, span.start), durationS - length);
  return { start, length };
}

/** Show `factor` times as much; what is shown at `anchorS` stays where it is. */
export function zoomed(span: Span, factor: number, anchorS: number, durationS: number): Span {
  const { length } = fitted({ start: 0, length: span.length * factor }, durationS);
  const share = (anchorS - span.start) / span.length;
  return fitted({ start: anchorS - share * length, length }, durationS);
}

export function moved(span: Span, byS: number, durationS: number): Span {
  return fitted({ start: span.start + byS, length: span.length }, durationS);
}

export function holds(span: Span, atS: number): boolean {
  return atS >= span.start && atS < span.start + span.length;
}

/** The page that begins just before `atS`. */
export function pageAt(span: Span, atS: number, durationS: number): Span {
  return fitted({ start: atS - LEAD * span.length, length: span.length }, durationS);
}

/** Seconds between two lines of a ruler, round for people, at least `leastS`. */
export function tickS(leastS: number): number {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];
  return steps.find((step) => step >= leastS) ?? 3600;
}
