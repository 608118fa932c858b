import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { job } from "../api/job.fixture";
import { keys, makeQueryClient } from "../api/queries";
import { OpenJob } from "./open-job";

const MINUTE_MS = 60_000;

afterEach(cleanup);

function show(facts: Parameters<typeof job>[0]) {
  const client = makeQueryClient();
  client.setQueryData(keys.profiles, [{ name: "band", waking_s: 42 }]);
  render(
    <QueryClientProvider client={client}>
      <ul>
        <OpenJob job={job(facts)} onGone={() => {}} />
      </ul>
    </QueryClientProvider>,
  );
}

test("much work is given up only after a question, which names what would be lost", () => {
  show({
    state: "processing",
    phase: "separating",
    progress: 0.429,
    started_at: new Date(Date.now() - 5 * MINUTE_MS).toISOString(),
  });
  fireEvent.click(screen.getByRole("button", { name: "Cancel take 1.wav" }));
  const dialog = screen.getByRole("dialog", { name: "Cancel take 1.wav?" });
  expect(dialog.textContent).toContain("It is 42 % done.");
  fireEvent.click(screen.getByRole("button", { name: "Let it go on" }));
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("a running job says its step, its percentage and the time left", () => {
  show({
    state: "processing",
    phase: "separating",
    progress: 0.429,
    eta_s: 240,
  });
  expect(document.body.textContent).toContain("Separating the stems · 42 % · 3 to 5 min left");
  expect(screen.getByRole("progressbar", { name: "Progress of take 1.wav" })).toBeDefined();
});

test("the time left is not told before a tenth is done", () => {
  show({ state: "processing", phase: "separating", progress: 0.09, eta_s: 240 });
  expect(document.body.textContent).not.toContain("left");
});

test("waking the worker is a step of its own, and says how long that takes", () => {
  show({ state: "waking", phase: "waking", remote: true });
  expect(document.querySelector("[aria-current=step]")?.textContent).toContain("Waking the worker");
  expect(document.body.textContent).toContain("Waking the worker · that takes about 40 s");
});

test("a job that is held says why, one that is paid for what it cost so far", () => {
  const why = "band may cost 20.00 USD a month: 20.00 USD of it are spent.";
  show({ state: "queued", held: why });
  expect(document.body.textContent).toContain(`Held${why}`);
  cleanup();
  const seconds = { start_s: 20, computing_s: 40, transfer_s: 5, tail_s: 0 };
  show({ state: "processing", cost: { currency: "USD", amount: 0.0123, ...seconds } });
  expect(document.body.textContent).toContain("0.012 USD so far");
});
