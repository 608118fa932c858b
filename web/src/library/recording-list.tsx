/**
 * The rows that are in view, of a list of any length that scrolls with the page.
 *
 * The row that has the focus stays, however far it is scrolled away.
 */

import { defaultRangeExtractor, type Range, useWindowVirtualizer } from "@tanstack/react-virtual";
import {
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { Recording } from "../api/client";
import type { Actions } from "./actions";
import { RecordingRow, RowToCome } from "./recording-row";
import { useLiveJobs } from "./use-live-jobs";
import { useNow } from "./use-now";

// As high as rows are in most browsers; each is measured once it is there.
const ROW_PX = 88;
const PHONE_ROW_PX = 158;
const PHONE = "(max-width: 699px)";
// Rows beyond the view: so many are drawn, and so many fetched.
const OVERSCAN = 6;
const AHEAD = 120;

/** A recording whose row is to take the focus; a new one for each time. */
export interface FocusWish {
  readonly id: string;
}

interface Props {
  recordings: readonly Recording[];
  /** How many there are, fetched or not. */
  count: number;
  actions: Actions;
  focusWish: FocusWish | null;
  /** Called with how many rows, from the first on, the view needs. */
  onNeed: (count: number) => void;
}

export function RecordingList({ recordings, count, actions, focusWish, onNeed }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const margin = useTop(list);
  const [focused, setFocused] = useState<string | null>(null);
  const now = useNow();
  useSamePlace();
  const live = useLiveJobs();
  const rowPx = useRowHeight();
  const kept =
    focused === null ? -1 : recordings.findIndex((each) => each.recording_id === focused);
  const virtualizer = useWindowVirtualizer({
    count,
    estimateSize: () => rowPx,
    // Another function means to lay all rows out again.
    getItemKey: useCallback(
      (index: number) => recordings[index]?.recording_id ?? index,
      [recordings],
    ),
    overscan: OVERSCAN,
    scrollMargin: margin,
    rangeExtractor: useCallback(
      (range: Range) => withKept(defaultRangeExtractor(range), kept),
      [kept],
    ),
  });
  const last = virtualizer.range?.endIndex ?? 0;
  useEffect(() => onNeed(Math.min(count, last + AHEAD)));
  useEffect(() => {
    const row = focusWish && list.current?.querySelector(`[data-recording="${focusWish.id}"]`);
    row?.querySelector<HTMLElement>(".recording-actions > .button")?.focus();
  }, [focusWish]);

  return (
    <ul
      ref={list}
      className="recordings"
      aria-label="Recordings"
      style={{ height: virtualizer.getTotalSize() }}
      onFocus={(event) => setFocused(recordingAround(event.target))}
      onBlur={() => setFocused(null)}
    >
      {virtualizer.getVirtualItems().map((item) => {
        const recording = recordings[item.index];
        return (
          <li
            key={item.key}
            ref={virtualizer.measureElement}
            data-index={item.index}
            data-recording={recording?.recording_id}
            aria-setsize={count}
            aria-posinset={item.index + 1}
            style={{ transform: `translateY(${item.start - margin}px)` }}
          >
            {recording ? (
              <RecordingRow
                recording={recording}
                liveJob={live.get(recording.newest_job?.job_id ?? "") ?? null}
                now={now}
                actions={actions}
              />
            ) : (
              <RowToCome />
            )}
          </li>
        );
      })}
    </ul>
  );
}

// Where the page was scrolled to when the list was left.
let leftAt = 0;

/** Whoever comes back from a recording finds the list where it was. */
function useSamePlace(): void {
  useLayoutEffect(() => {
    if (leftAt > 0) scrollTo(0, leftAt);
    return () => {
      leftAt = scrollY;
    };
  }, []);
}

/** How high a row is, as far as can be said before it is there, in pixels. */
function useRowHeight(): number {
  const isPhone = useSyncExternalStore(subscribeToWidth, () => matchMedia(PHONE).matches);
  return isPhone ? PHONE_ROW_PX : ROW_PX;
}

function subscribeToWidth(listener: () => void): () => void {
  const phone = matchMedia(PHONE);
  phone.addEventListener("change", listener);
  return () => phone.removeEventListener("change", listener);
}

/** How far below the page's top an element begins: what stands above it grows and shrinks. */
function useTop(element: RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      const box = element.current?.getBoundingClientRect();
      if (box) setTop(Math.round(box.top + scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [element]);
  return top;
}

function withKept(indexes: number[], kept: number): number[] {
  if (kept < 0 || indexes.includes(kept)) return indexes;
  return [...indexes, kept].sort((one, other) => one - other);
}

function recordingAround(element: Element): string | null {
  return element.closest("[data-recording]")?.getAttribute("data-recording") ?? null;
}
