import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { model } from "../api/model.fixture";
import { keys, makeQueryClient } from "../api/queries";
import { recording } from "./recording.fixture";
import { SeparateDialog } from "./separate-dialog";

afterEach(cleanup);

function profile(name: string, strategy: string) {
  const output = { format: "opus", bitrate: null, depth: null };
  return { name, strategy, stems: ["vocals"], remote: false, output };
}

function show(isInstalled: boolean) {
  const client = makeQueryClient();
  client.setQueryData(keys.profiles, [profile("two", "spleeter"), profile("four", "htdemucs")]);
  client.setQueryData(
    keys.strategies,
    ["spleeter", "htdemucs"].map((name) => ({ name, models: [{ name, is_allowed: true }] })),
  );
  client.setQueryData(keys.models, [
    model({ name: "spleeter", is_installed: true }),
    model({ name: "htdemucs", is_installed: isInstalled }),
  ]);
  const made = recording({ outputs: [{ profile_name: "two" }] as never });
  render(
    <QueryClientProvider client={client}>
      <SeparateDialog recording={made} onClose={() => {}} />
    </QueryClientProvider>,
  );
}

const radio = (name: RegExp) => screen.getByRole<HTMLInputElement>("radio", { name });

test("a profile whose model is not here can neither be chosen nor is it", () => {
  show(false);
  expect(radio(/^four \(not installed\)/).disabled).toBe(true);
  expect(radio(/^two/).checked).toBe(true);
});

test("what was not made yet is chosen at first where it can be made", () => {
  show(true);
  expect(radio(/^four/).checked).toBe(true);
});
