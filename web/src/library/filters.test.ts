import { expect, test } from "vitest";
import { ORDERS, readFilters, writeFilters } from "./filters";

const USUAL = { search: "", sort: "created", direction: "desc" } as const;

test("an address that says nothing lists all, the newest first", () => {
  expect(readFilters("")).toEqual(USUAL);
});

test.each(ORDERS)("what is written is what is read: $label", ({ sort, direction }) => {
  const filters = { search: "Bridge & 2 ü", sort, direction };
  expect(readFilters(writeFilters(filters, ""))).toEqual(filters);
});

test("the usual list leaves the address clean, and what others wrote there", () => {
  expect(writeFilters(USUAL, "?q=x&sort=name&direction=asc")).toBe("");
  expect(writeFilters({ ...USUAL, search: "a b" }, "?theme=dark")).toBe("theme=dark&q=a+b");
});

test.each(["sort=size", "sort=name", "sort=name&direction=up", "direction=asc"])(
  "an order that is none is the usual one: %s",
  (query) => {
    expect(readFilters(query)).toEqual(USUAL);
  },
);

test("a search is cut to what the service takes", () => {
  expect(readFilters(`q=${"x".repeat(300)}`).search).toHaveLength(200);
});
