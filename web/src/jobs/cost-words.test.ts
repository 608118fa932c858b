import { expect, test } from "vitest";
import { amountWords, type Cost, partWords } from "./cost-words";

const cost: Cost = {
  currency: "USD",
  amount: 0.36,
  start_s: 20,
  computing_s: 40.4,
  transfer_s: 5.1,
  tail_s: 300,
};

test("says the amount, and what it went for", () => {
  expect(amountWords(cost)).toBe("0.36 USD");
  expect(amountWords({ ...cost, amount: 0.0123 })).toBe("0.012 USD");
  expect(amountWords({ ...cost, amount: 6e-7 })).toBe("0.0000006 USD");
  expect(partWords(cost)).toBe("20 s to start, 40 s of work (5 s of it transfers), 300 s idle");
});

test("leaves out what took no time", () => {
  const here = { ...cost, start_s: 0, transfer_s: 0.1, tail_s: 0 };
  expect(partWords(here)).toBe("40 s of work");
});
