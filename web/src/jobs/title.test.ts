import { expect, test } from "vitest";
import { job } from "../api/job.fixture";
import { pageTitle } from "./title";

test("the title says how far the running jobs are together, else that some wait", () => {
  const running = (progress: number) => job({ state: "processing", progress });
  expect(pageTitle([])).toBe("Stemset");
  expect(pageTitle([running(0.429)])).toBe("42 % – Stemset");
  expect(pageTitle([running(0.2), running(0.6), job()])).toBe("40 % – Stemset");
  expect(pageTitle([job(), job({ state: "error" })])).toBe("Waiting – Stemset");
  expect(pageTitle([job({ state: "complete", progress: 1 })])).toBe("Stemset");
});
