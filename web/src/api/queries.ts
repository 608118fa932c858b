/** What the page knows of the service: read once, kept, and renewed by the events. */

import { QueryClient, type QueryKey, useQuery } from "@tanstack/react-query";
import { ApiError, answered, api, type Model } from "./client";

/** Names of what is kept. An event makes those anew that it touches. */
export const keys = {
  profiles: ["profiles"] as const,
  strategies: ["strategies"] as const,
  models: ["models"] as const,
  jobs: ["jobs"] as const,
  recordings: ["recordings"] as const,
  output: (id: string) => ["outputs", id] as const,
};

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        retry: (failures, error) => failures < 3 && error instanceof ApiError && error.retryable,
        refetchOnWindowFocus: false,
        networkMode: "always", // the service may be on this machine, which needs no network
      },
      mutations: { networkMode: "always" },
    },
  });
}

/**
 * Have something read by calls that begin now.
 *
 * One under way may bring what was before the change that makes it stale, and invalidating alone
 * waits for that one where it is the first.
 */
export async function readAnew(client: QueryClient, queryKey: QueryKey): Promise<void> {
  await client.cancelQueries({ queryKey });
  await client.invalidateQueries({ queryKey });
}

export function useProfiles() {
  return useQuery({ queryKey: keys.profiles, queryFn: () => answered(api.GET("/api/profiles")) });
}

export function useStrategies() {
  return useQuery({
    queryKey: keys.strategies,
    queryFn: () => answered(api.GET("/api/strategies")),
  });
}

const INSTALL_POLL_MS = 1000;

/** The models; asked for again and again while one is being installed. */
export function useModels() {
  return useQuery({
    queryKey: keys.models,
    queryFn: () => answered(api.GET("/api/models")),
    refetchInterval: ({ state }) => (state.data?.some(isInstalling) ? INSTALL_POLL_MS : false),
  });
}

export function isInstalling({ is_installed, install }: Model): boolean {
  return !is_installed && install !== null && install.error === null;
}

export function useOutput(id: string) {
  return useQuery({
    queryKey: keys.output(id),
    queryFn: () =>
      answered(api.GET("/api/outputs/{output_id}", { params: { path: { output_id: id } } })),
  });
}
