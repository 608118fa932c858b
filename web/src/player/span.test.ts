import { expect, test } from "vitest";
import { fitted, holds, moved, pageAt, tickS, zoomed } from "./span";

test("a span is kept in the recording and long enough to be seen", () => {
  expect(fitted({ start: -5, length: 30 }, 100)).toEqual({ start: 0, length: 30 });
  expect(fitted({ start: 90, length: 30 }, 100)).toEqual({ start: 70, length: 30 });
  expect(fitted({ start: 50, length: 0.1 }, 100)).toEqual({ start: 50, length: 2 });
  expect(fitted({ start: 0, length: 500 }, 1.5)).toEqual({ start: 0, length: 1.5 });
});

test("zooming keeps what is under the hand in its place", () => {
  expect(zoomed({ start: 0, length: 100 }, 0.5, 80, 100)).toEqual({ start: 40, length: 50 });
});

test("zooming out at the edge shows the recording's end and no more", () => {
  expect(zoomed({ start: 80, length: 20 }, 2, 100, 100)).toEqual({ start: 60, length: 40 });
});

test("moving stops at the ends", () => {
  expect(moved({ start: 10, length: 20 }, 100, 100)).toEqual({ start: 80, length: 20 });
});

test("a page begins a little before the playhead", () => {
  expect(pageAt({ start: 0, length: 20 }, 40, 100)).toEqual({ start: 39, length: 20 });
});

test("a span holds its start and not its end", () => {
  expect(holds({ start: 10, length: 5 }, 10)).toBe(true);
  expect(holds({ start: 10, length: 5 }, 15)).toBe(false);
});

test.each([
  [0.03, 0.1],
  [7, 10],
  [61, 120],
  [2000, 3600],
])("lines at least %d s apart stand every %d s", (least, step) => {
  expect(tickS(least)).toBe(step);
});
