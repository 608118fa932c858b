import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { api, type Model, type Profile } from "../api/client";
import { model } from "../api/model.fixture";
import { makeQueryClient } from "../api/queries";
import { ModelOffer } from "./model-offer";

const ok = new Response(null, { status: 202 });
const profile = { name: "four-stems", stems: ["vocals", "drums"] } as Profile;

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function show(facts: Partial<Model>) {
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <ModelOffer profile={profile} models={[model(facts)]} />
    </QueryClientProvider>,
  );
}

const button = (name: string) => screen.queryByRole("button", { name });

test("what a model takes, and on what terms, is said before it is installed", () => {
  show({});
  expect(document.body.textContent).toContain("four-stems makes vocals and drums");
  expect(document.body.textContent).toContain("84 MB, no licence stated");
  expect(document.body.textContent).toContain("Published without terms.");
  expect(button("Install htdemucs")).not.toBeNull();
});

test("the button orders the install", async () => {
  const post = vi.spyOn(api, "POST").mockResolvedValue({ data: model({}), response: ok });
  show({});
  fireEvent.click(screen.getByRole("button", { name: "Install htdemucs" }));
  const path = { name: "htdemucs" };
  await waitFor(() =>
    expect(post).toHaveBeenCalledWith("/api/models/{name}/install", { params: { path } }),
  );
});

test("a refusal of the order is shown", async () => {
  const error = { code: "forbidden", detail: "This needs more.", retryable: false };
  const response = new Response(null, { status: 403 });
  vi.spyOn(api, "POST").mockResolvedValue({ error: { error }, response });
  show({});
  fireEvent.click(screen.getByRole("button", { name: "Install htdemucs" }));
  expect((await screen.findByRole("alert")).textContent).toBe("This needs more.");
});

test("an install that runs shows how far it is, and no button", () => {
  show({ install: { phase: "downloading", done_bytes: 21e6, total_bytes: 84e6, error: null } });
  const bar = screen.getByRole("progressbar", { name: "Installing htdemucs" });
  expect(bar.getAttribute("value")).toBe("0.25");
  expect(document.body.textContent).toContain("Downloading: 21 MB of 84 MB");
  expect(button("Install htdemucs")).toBeNull();
});

test("an install that failed says why and can be tried again", () => {
  const error = { code: "model_download", detail: "403 Forbidden.", retryable: true };
  show({ install: { phase: "downloading", done_bytes: 1, total_bytes: 2, error } });
  expect(screen.getByRole("alert").textContent).toContain("403 Forbidden.");
  expect(button("Try to install htdemucs again")).not.toBeNull();
});

test("libraries that are missing are named with the command", () => {
  show({ missing_libraries: ["torch", "demucs"] });
  expect(document.body.textContent).toContain("lacks torch and demucs");
  expect(document.body.textContent).toContain("pip install 'stemset[torch,openvino]'");
});

test("who may not install is told whom to ask", () => {
  show({ may_install: false });
  expect(button("Install htdemucs")).toBeNull();
  expect(document.body.textContent).toContain("Whoever runs Stemset can install it");
});
