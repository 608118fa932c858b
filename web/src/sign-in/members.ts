/** The list of those who may sign in, and changes to it. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answered, api, type Member, type Role } from "../api/client";
import { readAnew } from "../api/queries";

const membersKey = ["members"] as const;

/** What a member may do. */
export interface Wanted {
  readonly email: string;
  readonly role: Role;
  /** Null for all. */
  readonly profiles: string[] | null;
}

export type Change =
  | ({ readonly kind: "put" } & Wanted)
  | { readonly kind: "remove" | "sign out"; readonly email: string };

export function useMembers() {
  return useQuery({
    queryKey: membersKey,
    queryFn: async () => (await answered(api.GET("/api/members"))).members,
    staleTime: 0,
  });
}

export function useMemberChange() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: make,
    onSettled: () => readAnew(client, membersKey),
  });
}

async function make(change: Change): Promise<void> {
  const { email } = change;
  const params = { path: { email } };
  switch (change.kind) {
    case "put": {
      const body = { role: change.role, profiles: change.profiles };
      await answered(api.PUT("/api/members/{email}", { params, body }));
      break;
    }
    case "remove":
      await answered(api.DELETE("/api/members/{email}", { params }));
      break;
    case "sign out":
      await answered(api.DELETE("/api/members/{email}/sessions", { params }));
  }
}

/** What is wrong with an address as it is typed; null for nothing. */
export function emailProblem(text: string, members: readonly Member[]): string | null {
  const email = text.trim();
  if (email === "") return "Type the address that the person signs in with.";
  if (!/^[^\s@]+@[^\s@]+$/.test(email))
    return "That is no e-mail address, such as anna@example.org.";
  const isKnown = members.some((each) => each.email === email.toLowerCase());
  return isKnown ? "This address is on the list already." : null;
}

/** How a member stands, in words. */
export function signInWords({ signed_in_at, sessions }: Member): string {
  if (signed_in_at === null) return "Has never signed in";
  const last = `Signed in last on ${day.format(new Date(signed_in_at))}`;
  if (sessions === 0) return `${last}, is signed out`;
  return `${last}, now on ${sessions === 1 ? "1 device" : `${sessions} devices`}`;
}

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
