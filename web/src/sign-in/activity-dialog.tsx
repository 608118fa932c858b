/** Who did what: the audit log, for admins. */

import { useInfiniteQuery } from "@tanstack/react-query";
import type { AuditEntry } from "../api/client";
import { answered, api } from "../api/client";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { activityWords, byDay } from "./activity-words";

export default function ActivityDialog({ onClose }: { onClose: () => void }) {
  const { data, error, refetch, hasNextPage, isFetching, fetchNextPage } = useActivity();
  const entries = data?.pages.flatMap((page) => page.entries);
  return (
    <Dialog title="Activity" onClose={onClose}>
      <div className="sign-in-words">
        <p className="quiet">Sign-ins, members, and what was deleted. It is kept for 400 days.</p>
        {entries?.length === 0 && <p>Nothing has been noted yet.</p>}
        {entries && <Days entries={entries} />}
        {error && (
          <div className="notice" data-kind="bad" role="alert">
            <p>The activity cannot be listed. {error.message}</p>
            <Button icon="retry" label="Try again" onClick={() => void refetch()} />
          </div>
        )}
        <p role="status" className="quiet">
          {isFetching && "Looking it up…"}
        </p>
      </div>
      <div className="dialog-actions">
        {hasNextPage && (
          <Button label="Show older" disabled={isFetching} onClick={() => void fetchNextPage()} />
        )}
        <Button label="Close" onClick={onClose} />
      </div>
    </Dialog>
  );
}

function useActivity() {
  return useInfiniteQuery({
    queryKey: ["activity"],
    queryFn: ({ pageParam: before }) =>
      answered(api.GET("/api/audit", { params: { query: { before } } })),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
    staleTime: 0,
    gcTime: 0, // begins at the newest each time
  });
}

function Days({ entries }: { entries: readonly AuditEntry[] }) {
  return byDay(entries).map(({ words, entries: those }) => (
    <section key={words}>
      <h3 className="activity-day">{words}</h3>
      <ul className="activity">
        {those.map((entry) => (
          <li key={entry.id}>
            <time className="quiet numeric" dateTime={entry.at}>
              {time.format(new Date(entry.at))}
            </time>
            <span>
              <strong>{entry.actor}</strong> {activityWords(entry)}
              {entry.address !== null && (
                <small className="quiet second-line">from {entry.address}</small>
              )}
            </span>
          </li>
        ))}
      </ul>
    </section>
  ));
}

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
