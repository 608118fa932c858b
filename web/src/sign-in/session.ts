/** Who is signed in by this browser, where people sign in; and the way there and out again. */

import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { answered, api, type SignedIn } from "../api/client";
import { onNobody } from "../api/nobody";
import { pairingKey } from "../pair/pairing";
import { giveUpWork } from "../ui/open-work";

export const sessionKey = ["session"] as const;
/** The view that a refused sign-in comes back to. */
export const SIGN_IN_VIEW = "/sign-in";
/** The view that a sign-in in a tab of its own comes back to. */
export const SIGNED_IN_VIEW = `${SIGN_IN_VIEW}?done`;

const WANTED = "stemset.sign-in.wanted";

const LOOK_EVERY_MS = 4000;

/** @param isAwaited Whether to look again and again, for a sign-in in another tab. */
export function useSession(isAwaited = false) {
  return useQuery({
    queryKey: sessionKey,
    queryFn: () => answered(api.GET("/api/session")),
    staleTime: Number.POSITIVE_INFINITY,
    // Somebody may have signed in or out in another tab.
    refetchOnWindowFocus: ({ state }) => (state.data?.sign_in ? "always" : false),
    refetchInterval: isAwaited ? LOOK_EVERY_MS : false,
  });
}

/** Ask anew who calls: a member, a phone, or nobody. */
export async function askWhoCalls(client: QueryClient): Promise<void> {
  const once = { cancelRefetch: false };
  await Promise.all([
    client.invalidateQueries({ queryKey: sessionKey }, once),
    client.invalidateQueries({ queryKey: pairingKey }, once),
  ]);
}

/** Asks anew when a call is refused: the session or the token may have ended. */
export function useAskingWhenRefused(): void {
  const client = useQueryClient();
  useEffect(() => onNobody(() => void askWhoCalls(client)), [client]);
}

/**
 * Where a sign-in begins: the browser goes there itself, by a link.
 *
 * @param next The view to come back to.
 * @param chooses Whether to be asked for an account where the provider knows one already.
 */
export function signInPath(next: string, chooses = false): string {
  const asked = new URLSearchParams({ next });
  if (chooses) asked.set("choose", "true");
  return `/api/sign-in?${asked}`;
}

/** The view that is open; after a refused sign-in, the one that it was to lead to. */
export function viewToReturnTo({ pathname, search, hash }: Location): string {
  if (pathname === SIGN_IN_VIEW) return sessionStorage.getItem(WANTED) ?? "/";
  const view = pathname + search + hash;
  sessionStorage.setItem(WANTED, view);
  return view;
}

/** Ends this browser's session, or all of the person, and with it all that this page holds. */
export function useSignOut() {
  return useMutation({
    mutationFn: (everywhere: boolean) =>
      answered(api.DELETE("/api/session", { params: { query: { everywhere } } })),
    onSuccess: () => {
      giveUpWork();
      location.assign("/");
    },
  });
}

/** What a person may do here, in words. */
export function roleWords({ role, profiles }: Pick<SignedIn, "role" | "profiles">): string {
  if (role === "admin") return "Admin";
  return profiles === null ? "Member" : `Member, for ${profiles.join(", ")}`;
}
