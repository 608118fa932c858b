import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { ApiError } from "../api/client";
import { makeQueryClient } from "../api/queries";
import { PairingGate } from "./pairing-gate";

interface Standing {
  by_phone: boolean;
  caller: string | null;
  address: string | null;
}

// The client takes what is there when it is made.
const fetched = vi.hoisted(() => {
  const replaced = vi.fn<() => Promise<Response>>();
  globalThis.fetch = replaced;
  return replaced;
});

/** What the service says of this browser: the first time, and from then on. */
function answering(first: Standing, later = first) {
  fetched.mockReset();
  fetched.mockImplementationOnce(async () => Response.json(first));
  fetched.mockImplementation(async () => Response.json(later));
}

function shown(children = <p>The recordings</p>) {
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <PairingGate>{children}</PairingGate>
    </QueryClientProvider>,
  );
}

function Refused() {
  const { refetch } = useQuery({
    queryKey: ["refused"],
    queryFn: () => Promise.reject(new ApiError("unauthenticated", "No.", false, 401)),
    enabled: false,
  });
  return (
    <button type="button" onClick={() => void refetch()}>
      Look
    </button>
  );
}

const PAIRED: Standing = { by_phone: true, caller: "iPhone", address: null };
const UNPAIRED: Standing = { ...PAIRED, caller: null };

afterEach(cleanup);

test("the local user and a paired phone see the page", async () => {
  for (const standing of [{ by_phone: false, caller: "local user", address: null }, PAIRED]) {
    answering(standing);
    shown();
    await vi.waitFor(() => expect(fetched).toHaveBeenCalledOnce());
    expect(await screen.findByText("The recordings")).toBeTruthy();
    cleanup();
  }
});

test("a phone that is not paired is told what to do", async () => {
  answering(UNPAIRED);
  shown();
  expect(await screen.findByRole("heading", { name: "This phone is not paired" })).toBeTruthy();
  expect(screen.queryByText("The recordings")).toBeNull();
});

test("a phone whose token was revoked is told so when a call is refused", async () => {
  answering(PAIRED, UNPAIRED);
  shown(<Refused />);
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledOnce());
  fireEvent.click(await screen.findByRole("button", { name: "Look" }));
  expect(await screen.findByRole("heading", { name: "This phone is not paired" })).toBeTruthy();
});
