/** What of the library is listed, and in which order; kept in the page's address. */

import { useCallback, useMemo } from "react";
import { useLocation, useSearch } from "wouter";
import type { components } from "../api/schema";

export type Sort = components["schemas"]["Sort"];
export type Direction = components["schemas"]["Direction"];

export interface Filters {
  /** Looked for in a recording's name and in its file's. */
  readonly search: string;
  readonly sort: Sort;
  readonly direction: Direction;
}

export interface Order {
  readonly sort: Sort;
  readonly direction: Direction;
  readonly label: string;
}

/** The orders that can be chosen; the first is what nobody has to choose. */
export const ORDERS: readonly [Order, ...Order[]] = [
  { sort: "created", direction: "desc", label: "Newest first" },
  { sort: "created", direction: "asc", label: "Oldest first" },
  { sort: "name", direction: "asc", label: "Name, A to Z" },
  { sort: "name", direction: "desc", label: "Name, Z to A" },
  { sort: "duration", direction: "desc", label: "Longest first" },
  { sort: "duration", direction: "asc", label: "Shortest first" },
];

/** As long as the service takes it. */
export const MAX_SEARCH = 200;

/** Reads an address's query; what it does not say, or says wrongly, is as if nobody had chosen. */
export function readFilters(query: string): Filters {
  const said = new URLSearchParams(query);
  const { sort, direction } = orderOf(said.get("sort"), said.get("direction"));
  return { search: (said.get("q") ?? "").trim().slice(0, MAX_SEARCH), sort, direction };
}

/** A query that says the filters, and whatever else the old one said. */
export function writeFilters(filters: Filters, query: string): string {
  const written = new URLSearchParams(query);
  const usual = isUsual(filters);
  put(written, "q", filters.search);
  put(written, "sort", usual ? "" : filters.sort);
  put(written, "direction", usual ? "" : filters.direction);
  return written.toString();
}

/** The filters, and what changes them. The page before stays one step back. */
export function useFilters(): [Filters, (change: Partial<Filters>) => void] {
  const query = useSearch();
  const [path, navigate] = useLocation();
  const filters = useMemo(() => readFilters(query), [query]);
  const change = useCallback(
    (changed: Partial<Filters>) => {
      const written = writeFilters({ ...filters, ...changed }, query);
      navigate(written ? `${path}?${written}` : path, { replace: true });
    },
    [filters, query, path, navigate],
  );
  return [filters, change];
}

function orderOf(sort: string | null, direction: string | null): Order {
  const found = ORDERS.find((each) => each.sort === sort && each.direction === direction);
  return found ?? ORDERS[0];
}

function isUsual({ sort, direction }: Filters): boolean {
  return sort === ORDERS[0].sort && direction === ORDERS[0].direction;
}

function put(query: URLSearchParams, name: string, value: string): void {
  query.delete(name);
  if (value) query.append(name, value);
}
