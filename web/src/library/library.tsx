/** The library: all recordings, to find, sort, play, rename, download and delete. */

import { useCallback, useMemo, useRef, useState } from "react";
import type { Recording } from "../api/client";
import { type Filters, ORDERS, useFilters } from "./filters";
import { LinkDialog } from "./link-dialog";
import { NothingFound, NothingYet, OutOfReach } from "./nothing-here";
import { type FocusWish, RecordingList } from "./recording-list";
import { useRecordings } from "./recordings";
import { RenameDialog } from "./rename-dialog";
import { SearchField } from "./search-field";
import { SeparateDialog } from "./separate-dialog";
import { type Question, useActions } from "./use-actions";
import { useDeletions } from "./use-deletions";
import { reasonOf, recordingCount } from "./words";
import "./library.css";

export function Library() {
  const [filters, change] = useFilters();
  const { query, recordings, total, need } = useRecordings(filters);
  const [hidden, remove] = useDeletions();
  const [question, setQuestion] = useState<Question | null>(null);
  const [focusWish, setFocusWish] = useState<FocusWish | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useMemo(
    () => recordings.filter((each) => !hidden.has(each.recording_id)),
    [recordings, hidden],
  );
  const listed = useRef(shown);
  listed.current = shown;
  const removeAndMoveOn = useCallback(
    (recording: Recording) => {
      const next = neighbour(listed.current, recording);
      if (next) setFocusWish({ id: next.recording_id });
      else heading.current?.focus();
      remove(recording);
    },
    [remove],
  );
  const actions = useActions(setQuestion, removeAndMoveOn);
  const changeSearch = useCallback((search: string) => change({ search }), [change]);
  const close = () => setQuestion(null);
  const count = total - (recordings.length - shown.length);
  const isSearched = filters.search !== "";
  // While a search is under way, what the one before found stays.
  const isKnown = query.data !== undefined && !query.isPlaceholderData;

  return (
    <section className="library" aria-labelledby="library-heading" aria-busy={query.isPending}>
      <header className="library-head">
        <h2 ref={heading} tabIndex={-1}>
          <span id="library-heading">Library</span>
          {query.data && count > 0 && (
            <span className="quiet numeric"> {recordingCount(count)}</span>
          )}
        </h2>
        {(isSearched || count > 0) && (
          <div className="library-tools">
            <SearchField value={filters.search} onChange={changeSearch} />
            <OrderField filters={filters} onChange={change} />
          </div>
        )}
      </header>
      <p role="status" className="visually-hidden">
        {isKnown && isSearched && `${recordingCount(count)} found`}
      </p>
      {query.error && (
        <OutOfReach
          reason={reasonOf(query.error)}
          isTrying={query.isFetching}
          onRetry={() => void query.refetch()}
        />
      )}
      {query.isPending && <p className="quiet">Looking the recordings up…</p>}
      {isKnown && count === 0 && !isSearched && <NothingYet />}
      {isKnown && count === 0 && isSearched && (
        <NothingFound search={filters.search} onShowAll={() => change({ search: "" })} />
      )}
      {count > 0 && (
        <RecordingList
          recordings={shown}
          count={count}
          actions={actions}
          focusWish={focusWish}
          onNeed={need}
        />
      )}
      {question?.kind === "rename" && (
        <RenameDialog recording={question.recording} onClose={close} />
      )}
      {question?.kind === "separate" && (
        <SeparateDialog recording={question.recording} onClose={close} />
      )}
      {question?.kind === "link" && <LinkDialog link={question.link} onClose={close} />}
    </section>
  );
}

interface OrderProps {
  filters: Filters;
  onChange: (change: Partial<Filters>) => void;
}

function OrderField({ filters, onChange }: OrderProps) {
  return (
    <label className="library-order">
      <span className="visually-hidden">Order of the recordings</span>
      <select
        value={`${filters.sort} ${filters.direction}`}
        onChange={(event) => {
          const order = ORDERS[event.target.selectedIndex];
          if (order) onChange({ sort: order.sort, direction: order.direction });
        }}
      >
        {ORDERS.map(({ sort, direction, label }) => (
          <option key={label} value={`${sort} ${direction}`}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The recording that takes the place of one that goes, or the one before it. */
function neighbour(shown: readonly Recording[], gone: Recording): Recording | null {
  const index = shown.findIndex((each) => each.recording_id === gone.recording_id);
  return shown[index + 1] ?? shown[index - 1] ?? null;
}
