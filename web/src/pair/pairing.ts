/** How this browser stands with the service: it is the local user's, a paired phone's, or nobody's. */

import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError, answered, api } from "../api/client";

export const pairingKey = ["pairing"] as const;

export function usePairing() {
  return useQuery({
    queryKey: pairingKey,
    queryFn: () => answered(api.GET("/api/pairing")),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function askAgain(client: QueryClient): Promise<void> {
  return client.invalidateQueries({ queryKey: pairingKey });
}

/** Asks how this browser stands when a call is refused: its token may have ended or been revoked. */
export function useAskingWhenRefused(): void {
  const client = useQueryClient();
  useEffect(
    () =>
      client.getQueryCache().subscribe((event) => {
        if (event.type !== "updated" || event.action.type !== "error") return;
        const { error } = event.action;
        if (error instanceof ApiError && error.code === "unauthenticated") void askAgain(client);
      }),
    [client],
  );
}
