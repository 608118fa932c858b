/** The recordings as they are listed: fetched page by page, and changed here before they come anew. */

import {
  type InfiniteData,
  keepPreviousData,
  type QueryClient,
  type QueryKey,
  useInfiniteQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useMemo, useRef } from "react";
import { answered, api, type Recording } from "../api/client";
import { keys } from "../api/queries";
import type { components } from "../api/schema";
import type { Filters } from "./filters";

export type RecordingPage = components["schemas"]["RecordingPage"];
type Pages = InfiniteData<RecordingPage, string | null>;

/** Recordings of the first page, few for a quick view, and of all others, the most there can be. */
const FIRST_PAGE = 100;
const PAGE = 200;

const LISTS = [...keys.recordings, "list"] as const;

const listKey = (filters: Filters) => [...LISTS, filters] as const;

/** The recordings that some filters let through. */
export function useRecordings(filters: Filters) {
  const client = useQueryClient();
  const key = listKey(filters);
  // How many pages the view needs. When the list is fetched anew, no more than these are: after a
  // walk through 10,000 recordings, a change would else ask for a hundred pages.
  const needed = useRef(client.getQueryData<Pages>(key)?.pages.length ?? 1);
  const query = useInfiniteQuery<RecordingPage, Error, Pages, QueryKey, string | null>({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => fetchPage(filters, pageParam, signal),
    initialPageParam: null,
    getNextPageParam: (last, pages) => (pages.length < needed.current ? last.next_cursor : null),
    placeholderData: keepPreviousData,
  });
  const pages = query.data?.pages;
  const recordings = useMemo(() => pages?.flatMap((page) => page.recordings) ?? [], [pages]);
  const total = pages?.[0]?.total ?? recordings.length;
  const hasMore = pages?.at(-1)?.next_cursor != null;

  /** Have the recordings up to a place in the list fetched, a page at a time. */
  function need(count: number): void {
    needed.current = 1 + Math.max(0, Math.ceil((count - FIRST_PAGE) / PAGE));
    const isShort = pages !== undefined && pages.length < needed.current;
    if (isShort && hasMore && !query.isFetching && !query.isError) void query.fetchNextPage();
  }

  return { query, recordings, total, need };
}

/** Change what is listed of a recording, in every list that has it. */
export function editRecording(
  client: QueryClient,
  id: string,
  edit: (recording: Recording) => Recording,
): void {
  editLists(client, id, (page) => ({
    ...page,
    recordings: page.recordings.map((each) => (each.recording_id === id ? edit(each) : each)),
  }));
}

/** Take a recording out of every list. */
export function removeRecording(client: QueryClient, id: string): void {
  editLists(client, id, (page) => ({
    ...page,
    recordings: page.recordings.filter((each) => each.recording_id !== id),
    total: page.total === null ? null : page.total - 1,
  }));
}

/** Edit all pages of the lists that have a recording. */
function editLists(
  client: QueryClient,
  id: string,
  edit: (page: RecordingPage) => RecordingPage,
): void {
  client.setQueriesData<Pages>({ queryKey: LISTS }, (data) => {
    const isListed = data?.pages.some((page) =>
      page.recordings.some((each) => each.recording_id === id),
    );
    return data && isListed ? { ...data, pages: data.pages.map(edit) } : data;
  });
}

function fetchPage(
  { search, sort, direction }: Filters,
  cursor: string | null,
  signal: AbortSignal,
): Promise<RecordingPage> {
  const query = {
    sort,
    direction,
    limit: cursor === null ? FIRST_PAGE : PAGE,
    ...(search && { search }),
    ...(cursor && { cursor }),
  };
  return answered(api.GET("/api/recordings", { params: { query }, signal }));
}
