import { expect, test } from "vitest";
import { nameProblem } from "./names";

test.each(["x", " Bridge / 2 – עברית 🎸 ", "🎸".repeat(200), "e\u0301".repeat(200)])(
  "a name that can be is no problem: %s",
  (name) => {
    expect(nameProblem(name)).toBeNull();
  },
);

test.each([
  ["", "needs a name"],
  ["  ", "needs a name"],
  ["🎸".repeat(201), "has 201"],
  ["a\u0000b", "control characters"],
  ["a\u2028b", "line breaks"],
  ["a\ud800b", "control characters"],
])("a name that the service would refuse is refused before: %j", (name, words) => {
  expect(nameProblem(name)).toContain(words);
});
