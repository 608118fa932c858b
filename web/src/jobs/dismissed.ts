/** Failed jobs that somebody wants to see no more, kept in this browser. */

import { useSyncExternalStore } from "react";
import { recall, remember } from "../ui/memory";

const KEY = "stemset.dismissed-jobs";
const KEPT = 500;

let dismissed: ReadonlySet<string> | null = null;
const listeners = new Set<() => void>();

function current(): ReadonlySet<string> {
  dismissed ??= new Set((recall(KEY) ?? "").split(" ").filter(Boolean));
  return dismissed;
}

export function dismiss(jobIds: readonly string[]): void {
  dismissed = new Set([...current(), ...jobIds].slice(-KEPT));
  remember(KEY, [...dismissed].join(" "));
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useDismissed(): ReadonlySet<string> {
  return useSyncExternalStore(subscribe, current);
}
