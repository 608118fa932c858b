/** Stands before every view: a phone that is not paired, or not any more, is told what to do. */

import type { ReactNode } from "react";
import { NotPaired } from "./not-paired";
import { useAskingWhenRefused, usePairing } from "./pairing";

export function PairingGate({ children }: { children: ReactNode }) {
  const { data, isPending } = usePairing();
  useAskingWhenRefused();
  // Phones come encrypted. Others need not wait to be told that they are none.
  if (isPending && location.protocol === "https:") return <p className="quiet">Opening…</p>;
  if (data?.by_phone && data.caller === null) return <NotPaired />;
  return children;
}
