/** Short words at the edge of the page, some with one action, which go by themselves. */

import { useSyncExternalStore } from "react";
import { Button } from "./button";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly kind: "plain" | "bad";
  readonly action: { label: string; run: () => void } | null;
}

interface Options {
  kind?: Toast["kind"];
  action?: Toast["action"];
  /** How long it stays. */
  forMs?: number;
  /** Called when it has gone, unless its action was taken. */
  onGone?: () => void;
}

let shown: readonly Toast[] = [];
let count = 0;
const listeners = new Set<() => void>();

/** Say something. Returns what takes it away at once. */
export function toast(text: string, options: Options = {}): () => void {
  count += 1;
  const id = count;
  const take = () => {
    clearTimeout(timer);
    show(shown.filter((each) => each.id !== id));
  };
  const timer = setTimeout(() => {
    take();
    options.onGone?.();
  }, options.forMs ?? 6000);
  const asked = options.action;
  const action = asked
    ? {
        label: asked.label,
        run: () => {
          take();
          asked.run();
        },
      }
    : null;
  show([...shown, { id, text, kind: options.kind ?? "plain", action }]);
  return take;
}

function show(toasts: readonly Toast[]): void {
  shown = toasts;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const toasts = useSyncExternalStore(subscribe, () => shown);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {toasts.map((each) => (
        <div key={each.id} className="toast" data-kind={each.kind}>
          <span>{each.text}</span>
          {each.action && <Button label={each.action.label} onClick={each.action.run} />}
        </div>
      ))}
    </div>
  );
}
