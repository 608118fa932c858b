import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import type { Session } from "../api/client";
import { makeQueryClient } from "../api/queries";
import { AccountButton } from "./account-button";
import { sessionKey } from "./session";

afterEach(cleanup);

const SIGN_IN = { provider: "Example", issuer: "https://example.org" };

function shown(session: Session): string[] {
  const client = makeQueryClient();
  client.setQueryData(sessionKey, session);
  render(
    <QueryClientProvider client={client}>
      <AccountButton />
    </QueryClientProvider>,
  );
  return screen.queryAllByRole("button").map(({ textContent }) => textContent ?? "");
}

test("where nobody signs in, and for whoever has not, there is no account", () => {
  expect(shown({ sign_in: null, member: null })).toEqual([]);
  expect(shown({ sign_in: SIGN_IN, member: null })).toEqual([]);
});

test("a member has one", () => {
  const facts = { email: "anna@example.org", name: null, role: "member", profiles: null } as const;
  const member = { ...facts, expires_at: "2026-12-29T00:00:00Z" };
  expect(shown({ sign_in: SIGN_IN, member })).toEqual(["Account anna@example.org"]);
});
