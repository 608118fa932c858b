import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useEffect } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { answered, api, type Session } from "../api/client";
import { onSomebody } from "../api/nobody";
import { makeQueryClient } from "../api/queries";
import { offerWork } from "../ui/open-work";
import { Gate } from "./gate";

interface Standing {
  by_phone: boolean;
  caller: string | null;
  address: string | null;
}

// The client takes what is there when it is made.
const fetched = vi.hoisted(() => {
  const replaced = vi.fn<typeof fetch>();
  globalThis.fetch = replaced;
  return replaced;
});

const SIGN_IN = { provider: "Example", issuer: "https://example.org" };
const OPEN: Session = { sign_in: null, member: null };
const NOBODY: Session = { sign_in: SIGN_IN, member: null };
const ANNA = member("anna@example.org");
const NO_CALLER: Standing = { by_phone: false, caller: null, address: null };
const PHONE: Standing = { by_phone: true, caller: "iPhone", address: null };

/** What the service says of this browser. */
const said = { session: OPEN, pairing: NO_CALLER };
const seen = vi.fn<() => void>();
const stops: (() => void)[] = [];

function member(email: string): Session {
  const facts = { email, name: null, role: "member", profiles: null } as const;
  return { sign_in: SIGN_IN, member: { ...facts, expires_at: "2026-12-29T00:00:00Z" } };
}

function say(session: Session, pairing: Standing = NO_CALLER) {
  Object.assign(said, { session, pairing });
}

const answer: typeof fetch = async (call) => {
  const { pathname } = new URL(call instanceof Request ? call.url : call);
  if (pathname === "/api/session") return Response.json(said.session);
  if (pathname === "/api/pairing") return Response.json(said.pairing);
  const error = { code: "unauthenticated", detail: "No.", retryable: false };
  return Response.json({ error }, { status: 401 });
};

/** Views that call the service when they are told to. */
function Views() {
  useEffect(() => seen(), []);
  const { refetch } = useQuery({
    queryKey: ["jobs"],
    queryFn: () => answered(api.GET("/api/jobs")),
    enabled: false,
  });
  return (
    <button type="button" onClick={() => void refetch()}>
      Look
    </button>
  );
}

/** Shows the page's tab again. */
function comeBack() {
  act(() => void document.dispatchEvent(new Event("visibilitychange", { bubbles: true })));
}

const views = () => screen.findByRole("button", { name: "Look" });
const look = async () => fireEvent.click(await views());
const heading = (name: string) => screen.findByRole("heading", { name });

function open() {
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <Gate>
        <Views />
      </Gate>
    </QueryClientProvider>,
  );
}

beforeEach(() => {
  fetched.mockReset();
  fetched.mockImplementation(answer);
  seen.mockReset();
  sessionStorage.clear();
  history.replaceState(null, "", "/play/o1?from=3#loop");
});
afterEach(() => {
  cleanup();
  for (const stop of stops.splice(0)) stop();
});

test("where nobody signs in, everybody sees the views", async () => {
  open();
  await views();
});

test("a member, a token's holder and a paired phone see the views", async () => {
  for (const [session, pairing] of [
    [ANNA, NO_CALLER],
    [NOBODY, { ...NO_CALLER, caller: "script" }],
    [NOBODY, PHONE],
    [OPEN, PHONE],
  ] as const) {
    say(session, pairing);
    open();
    await views();
    cleanup();
  }
});

test("the views wait until it is known who looks, so that no call of theirs is refused", async () => {
  say(NOBODY);
  open();
  await heading("Stemset");
  expect(seen).not.toHaveBeenCalled();
});

test("a service that cannot say who looks is the views' to tell of", async () => {
  fetched.mockImplementation(async () => Response.json({}, { status: 503 }));
  open();
  await views();
});

test("nobody is asked to sign in, and comes back to where they wanted to go", async () => {
  say(NOBODY);
  open();
  const link = await screen.findByRole("link", { name: "Sign in with Example" });
  expect(link.getAttribute("href")).toBe("/api/sign-in?next=%2Fplay%2Fo1%3Ffrom%3D3%23loop");
});

test("who was refused is told why, may choose another account, and gets there then", async () => {
  say(NOBODY);
  open();
  await heading("Stemset");
  cleanup();
  history.replaceState(null, "", "/sign-in?refused=not_a_member");
  open();
  await heading("This address may not sign in");
  const link = screen.getByRole("link", { name: "Use another account" });
  expect(link.getAttribute("href")).toBe(
    "/api/sign-in?next=%2Fplay%2Fo1%3Ffrom%3D3%23loop&choose=true",
  );
});

test("a phone that is not paired, or not any more, is told what to do", async () => {
  say(NOBODY, { ...PHONE, caller: null });
  open();
  await heading("This phone is not paired");
  cleanup();
  say(OPEN, PHONE);
  open();
  await views();
  say(OPEN, { ...PHONE, caller: null });
  await look();
  await heading("This phone is not paired");
});

test("a session that ends takes the views away, and says so to who cannot see it", async () => {
  say(ANNA, { ...NO_CALLER, caller: "anna@example.org" });
  open();
  await views();
  say(NOBODY);
  await look();
  const told = await heading("You were signed out");
  expect(document.activeElement).toBe(told);
  expect(screen.queryByRole("button", { name: "Look" })).toBeNull();
});

test("a session that ends leaves the views where something would be lost with them", async () => {
  const goOn = vi.fn<() => void>();
  stops.push(offerWork({ isOpen: () => true, giveUp: () => {} }), onSomebody(goOn));
  say(ANNA);
  open();
  await views();
  say(NOBODY);
  await look();
  const link = await screen.findByRole("link", { name: "Sign in with Example" });
  expect(link.getAttribute("target")).toBe("_blank");
  expect(goOn).not.toHaveBeenCalled();

  say(ANNA); // in another tab
  comeBack();
  await vi.waitFor(() => expect(goOn).toHaveBeenCalledOnce());
  expect(screen.queryByText("You were signed out")).toBeNull();
  expect(seen).toHaveBeenCalledOnce();
});

test("another person who signs in does not get what the first one had begun", async () => {
  const giveUp = vi.fn<() => void>();
  stops.push(offerWork({ isOpen: () => true, giveUp }));
  const reload = vi.spyOn(location, "reload").mockImplementation(() => {});
  say(ANNA);
  open();
  await views();
  say(NOBODY);
  await look();
  await screen.findByText("You were signed out");

  say(member("ben@example.org"));
  comeBack();
  await vi.waitFor(() => expect(reload).toHaveBeenCalledOnce());
  expect(giveUp).toHaveBeenCalledOnce();
});
