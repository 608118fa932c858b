import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import type { Job, Recording } from "../api/client";
import type { Actions } from "./actions";
import { job, output, recording } from "./recording.fixture";
import { RecordingRow } from "./recording-row";

const NOW = new Date("2026-11-24T18:05:00Z");

afterEach(cleanup);

function shown(changes: Partial<Recording>, liveJob: Job | null = null): Actions {
  const actions: Actions = {
    rename: vi.fn(),
    separate: vi.fn(),
    retry: vi.fn(),
    copyLink: vi.fn(),
    remove: vi.fn(),
  };
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RecordingRow recording={recording(changes)} liveJob={liveJob} now={NOW} actions={actions} />
    </QueryClientProvider>,
  );
  return actions;
}

test("a recording that is ready is played by a link, and each control names it", () => {
  shown({ outputs: [output()] });

  expect(screen.getByRole("link", { name: "Play Take 1" }).getAttribute("href")).toBe("/play/o1");
  expect(screen.getByRole("button", { name: "More for Take 1" })).toBeDefined();
  expect(screen.getByText("5 minutes ago")).toBeDefined();
  expect(screen.getByText(", 4 minutes 3 seconds")).toBeDefined();
});

test("of several outputs one is chosen", () => {
  shown({ outputs: [output(), output({ output_id: "o2", profile_name: "lossless" })] });

  expect(screen.queryByRole("link")).toBeNull();
  const play = screen.getByRole("button", { name: "Play Take 1" });
  expect(play.getAttribute("aria-expanded")).toBe("false");
  expect(screen.getByText("lossless: vocals, accompaniment")).toBeDefined();
});

test("a job is shown as it is by now, not as it was when the list was read", () => {
  shown({ newest_job: job({ progress: 0.1 }) }, job({ progress: 0.43 }));

  expect(screen.getByText("Being separated, 43 %")).toBeDefined();
  const progress = screen.getByRole("progressbar", { name: "Progress of Take 1" });
  expect(progress.getAttribute("value")).toBe("0.43");
});

test("a failure says why and is tried again", () => {
  const failed = job({ state: "error", error: "The disk is full.", can_retry: true });
  const actions = shown({ newest_job: failed });

  expect(screen.getByText("The disk is full.", { exact: false }).textContent).toBe(
    "Failed: The disk is full.",
  );
  screen.getByRole("button", { name: "Try again: Take 1" }).click();
  expect(actions.retry).toHaveBeenCalledWith(failed);
});

test("what was only uploaded is separated, unless it is not here any more", () => {
  const actions = shown({});
  screen.getByRole("button", { name: "Separate Take 1" }).click();
  expect(actions.separate).toHaveBeenCalledOnce();
  cleanup();

  shown({ is_stored: false });
  expect(screen.queryByRole("button", { name: /Separate/ })).toBeNull();
  expect(screen.getByText("Nothing of it is here any more")).toBeDefined();
});

test("a length that nobody knows is left out", () => {
  shown({ duration_s: null });

  expect(screen.queryByText(/second/)).toBeNull();
});
