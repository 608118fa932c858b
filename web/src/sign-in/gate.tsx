/**
 * Stands before every view: whoever may not call is told what to do.
 *
 * Who was in and is not any more keeps what they had begun: the views stay below what they are told
 * until they have signed in again, in another tab.
 */

import { useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { noteSomebody } from "../api/nobody";
import { NotPaired } from "../pair/not-paired";
import { askAgain, usePairing } from "../pair/pairing";
import { giveUpWork, hasOpenWork } from "../ui/open-work";
import { useAskingWhenRefused, useSession } from "./session";
import "./sign-in.css";

const SignInScreen = lazy(() => import("./sign-in-screen"));
const SignedOut = lazy(() => import("./signed-out"));

type Standing =
  | { readonly kind: "unknown" | "unpaired" | "in" }
  | { readonly kind: "nobody"; readonly provider: string };

export function Gate({ children }: { children: ReactNode }) {
  const standing = useStanding();
  const { wasIn, keepsViews } = useFormer(standing);
  useAskingWhenRefused();
  useChangesOfMember();
  switch (standing.kind) {
    case "unknown":
      return <p className="quiet late">Opening…</p>;
    case "unpaired":
      return <NotPaired />;
    case "nobody":
      return (
        <>
          {keepsViews && children}
          <Suspense>
            {keepsViews ? (
              <SignedOut provider={standing.provider} />
            ) : (
              <SignInScreen provider={standing.provider} wasIn={wasIn} />
            )}
          </Suspense>
        </>
      );
    case "in":
      return children;
  }
}

function useStanding(): Standing {
  const session = useSession();
  const pairing = usePairing();
  // A service that does not answer at once is the views' to tell of.
  if (session.isPending && session.failureCount === 0) return { kind: "unknown" };
  const signIn = session.data?.sign_in;
  if (session.data?.member) return { kind: "in" };
  // Phones come encrypted. Others need not wait to be told that they are none.
  const mayBePhone = location.protocol === "https:";
  if (pairing.isPending && (signIn || mayBePhone)) return { kind: "unknown" };
  const { by_phone: byPhone, caller } = pairing.data ?? { by_phone: false, caller: null };
  if (byPhone && caller === null) return { kind: "unpaired" };
  if (signIn && caller === null) return { kind: "nobody", provider: signIn.provider };
  return { kind: "in" };
}

interface Former {
  readonly kind: Standing["kind"];
  /** Whether the views were shown before. */
  readonly wasIn: boolean;
  /** Whether there is something in them that would be lost. */
  readonly keepsViews: boolean;
}

function useFormer({ kind }: Standing): Former {
  const [former, setFormer] = useState<Former>({ kind, wasIn: false, keepsViews: false });
  if (kind === former.kind) return former;
  const wasIn = former.kind === "in";
  const next = { kind, wasIn, keepsViews: wasIn && kind === "nobody" && hasOpenWork() };
  setFormer(next);
  return next;
}

/** Goes on with what waited once a member is back, and begins anew where it is another one. */
function useChangesOfMember(): void {
  const client = useQueryClient();
  const { data } = useSession();
  const email = data?.member?.email ?? null;
  const last = useRef<string | null>(null);
  useEffect(() => {
    if (email === null) {
      if (last.current !== null) void askAgain(client); // it took the member for the caller
    } else if (last.current === null) {
      last.current = email;
    } else if (last.current !== email) {
      giveUpWork();
      location.reload();
    } else {
      noteSomebody();
      void client.invalidateQueries({ predicate: ({ state }) => state.status === "error" });
    }
  }, [client, email]);
}
