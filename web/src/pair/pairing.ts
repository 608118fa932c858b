/** How this browser stands with the service: it is the local user's, a paired phone's, or nobody's. */

import { type QueryClient, useQuery } from "@tanstack/react-query";
import { answered, api } from "../api/client";
import { readAnew } from "../api/queries";

export const pairingKey = ["pairing"] as const;

export function usePairing() {
  return useQuery({
    queryKey: pairingKey,
    queryFn: () => answered(api.GET("/api/pairing")),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function askAgain(client: QueryClient): Promise<void> {
  return readAnew(client, pairingKey);
}
