/**
 * What a mouse or fingers do on the lanes: a click seeks; dragging pans a waveform, selects a loop
 * on the ruler (or with Shift), moves the view on the overview; two fingers, or the wheel with
 * Ctrl, zoom. All of it can be done with keys and buttons as well.
 */

import type { Controls } from "./controls";
import { moved, zoomed } from "./span";

/** A hand that moves less has clicked. */
const CLICK_PX = 5;
const WHEEL_ZOOM_PER_PX = 1.004;

interface Drag {
  readonly lane: HTMLElement;
  /** Measured once: every move changes styles, and measuring would lay the page out again. */
  readonly box: DOMRect;
  readonly fromX: number;
  readonly fromS: number;
  readonly kind: "pan" | "loop" | "view" | "start" | "end";
  hasMoved: boolean;
}

/** Watch the lanes below `stage`. Gives what ends that. */
export function watchGestures(stage: HTMLElement, controls: Controls): () => void {
  const { view, durationS } = controls;
  const fingers = new Map<number, PointerEvent>();
  let drag: Drag | null = null;

  const secondsAt = (lane: HTMLElement, x: number, box = lane.getBoundingClientRect()) => {
    const { left, width } = box;
    const { start, length } = lane.dataset.lane === "overview" ? wholeOf(durationS) : view.span;
    return start + ((x - left) / width) * length;
  };

  const begin = (event: PointerEvent) => {
    const lane = laneOf(event.target);
    if (!lane || event.button !== 0) return;
    fingers.set(event.pointerId, event);
    lane.setPointerCapture(event.pointerId);
    const isTwoFingered = fingers.size > 1;
    drag = isTwoFingered
      ? null
      : {
          lane,
          box: lane.getBoundingClientRect(),
          fromX: event.clientX,
          fromS: secondsAt(lane, event.clientX),
          kind: kindOf(event, lane),
          hasMoved: false,
        };
  };

  const move = (event: PointerEvent) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    if (fingers.size === 2) pinch(before, event);
    else if (drag) dragTo(drag, before, event);
    fingers.set(event.pointerId, event);
  };

  const pinch = (before: PointerEvent, now: PointerEvent) => {
    const lane = laneOf(now.target);
    const other = [...fingers.values()].find((each) => each.pointerId !== now.pointerId);
    if (!lane || !other) return;
    const [was, is] = [before, now].map((each) => Math.abs(each.clientX - other.clientX));
    if (!was || !is) return;
    const middleS = secondsAt(lane, (now.clientX + other.clientX) / 2);
    view.show(zoomed(view.span, was / is, middleS, durationS));
  };

  const dragTo = (current: Drag, before: PointerEvent, now: PointerEvent) => {
    current.hasMoved ||= Math.abs(now.clientX - current.fromX) > CLICK_PX;
    if (!current.hasMoved) return;
    const atS = secondsAt(current.lane, now.clientX, current.box);
    const byS = atS - secondsAt(current.lane, before.clientX, current.box);
    const loop = controls.loopS;
    if (current.kind === "pan") view.show(moved(view.span, -byS, durationS));
    if (current.kind === "view") view.show(moved(view.span, byS, durationS));
    if (current.kind === "loop") controls.setLoop(current.fromS, atS);
    if (current.kind === "start" && loop) controls.setLoop(Math.min(atS, loop.endS), loop.endS);
    if (current.kind === "end" && loop) controls.setLoop(loop.startS, Math.max(atS, loop.startS));
  };

  const end = (event: PointerEvent) => {
    const isOurs = fingers.delete(event.pointerId);
    if (!isOurs || !drag) return;
    const isClick = event.type === "pointerup" && !drag.hasMoved;
    if (isClick && drag.kind !== "start" && drag.kind !== "end") {
      // The pointer was captured by the lane; what lies below it is asked for.
      const below = document.elementFromPoint(event.clientX, event.clientY);
      const at = below?.closest<HTMLElement>(".flag")?.dataset.at;
      controls.seekTo(at ? Number(at) : drag.fromS);
    }
    if (drag.kind === "loop" && drag.hasMoved) controls.enterLoop();
    drag = null;
  };

  const turn = (event: WheelEvent) => {
    const lane = laneOf(event.target);
    if (!lane) return;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey) {
      event.preventDefault();
      const factor = WHEEL_ZOOM_PER_PX ** event.deltaY;
      view.show(zoomed(view.span, factor, secondsAt(lane, event.clientX), durationS));
    } else if (event.shiftKey || Math.abs(sideways) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const byS = (sideways / lane.clientWidth) * view.span.length;
      view.show(moved(view.span, byS, durationS));
    }
  };

  const ending = new AbortController();
  const { signal } = ending;
  stage.addEventListener("pointerdown", begin, { signal });
  stage.addEventListener("pointermove", move, { signal });
  stage.addEventListener("pointerup", end, { signal });
  stage.addEventListener("pointercancel", end, { signal });
  stage.addEventListener("wheel", turn, { signal, passive: false });
  return () => ending.abort();
}

function laneOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>("[data-lane]") : null;
}

function kindOf(event: PointerEvent, lane: HTMLElement): Drag["kind"] {
  const target = event.target instanceof Element ? event.target : lane;
  const edge = target.closest<HTMLElement>("[data-edge]")?.dataset.edge;
  if (edge === "start" || edge === "end") return edge;
  if (lane.dataset.lane === "overview") return "view";
  return lane.dataset.lane === "ruler" || event.shiftKey ? "loop" : "pan";
}

function wholeOf(durationS: number) {
  return { start: 0, length: durationS };
}
