/** The page of one output: what it says while the output opens, or when it cannot. */

import { useEffect, useState } from "react";
import { Link } from "wouter";
import { ApiError, type Output } from "../api/client";
import { useOutput } from "../api/queries";
import { toldOf } from "../engine/failure";
import { Button } from "../ui/button";
import { type OpenedOutput, openOutput } from "./open-output";
import { PlayerView } from "./player-view";
import "./player.css";

export default function PlayerPage({ outputId }: { outputId: string }) {
  const query = useOutput(outputId);
  if (query.data) return <OutputPlayer output={query.data} />;
  if (query.error) return <NotOpened error={query.error} onRetry={() => query.refetch()} />;
  return <Opening />;
}

type Opened =
  | { readonly status: "opening" }
  | { readonly status: "open"; readonly opened: OpenedOutput }
  | { readonly status: "failed"; readonly error: unknown };

function OutputPlayer({ output }: { output: Output }) {
  // Later answers differ in nothing but addresses, which the player renews by itself.
  const [first] = useState(output);
  const [tries, setTries] = useState(0);
  const [state, setState] = useState<Opened>({ status: "opening" });

  // biome-ignore lint/correctness/useExhaustiveDependencies: another try opens it anew
  useEffect(() => {
    const leaving = new AbortController();
    setState({ status: "opening" });
    const opening = openOutput(first, location.search, leaving.signal);
    opening.then(
      (opened) => {
        if (leaving.signal.aborted) return;
        setState({ status: "open", opened });
        // From here on the mix is kept; a reload is no second visit to the link.
        history.replaceState(history.state, "", location.pathname);
      },
      (error: unknown) => {
        if (!leaving.signal.aborted) setState({ status: "failed", error });
      },
    );
    return () => {
      leaving.abort();
      opening.then((opened) => opened.close()).catch(() => undefined);
    };
  }, [first, tries]);

  useTitle(output.recording_name);
  if (state.status === "open") return <PlayerView output={output} opened={state.opened} />;
  if (state.status === "opening") return <Opening name={output.recording_name} />;
  return <NotOpened error={state.error} onRetry={() => setTries(tries + 1)} />;
}

function Opening({ name }: { name?: string }) {
  return (
    <div className="card" role="status">
      {name && <h1>{name}</h1>}
      <p className="quiet">Opening…</p>
    </div>
  );
}

function NotOpened({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const isGone = error instanceof ApiError && error.status === 404;
  return (
    <div className="card not-opened" role="alert">
      <h1>{isGone ? "These stems are not here" : "The recording cannot be opened"}</h1>
      <p>{isGone ? "They were deleted, or the link is not right." : reasonOf(error)}</p>
      <p className="player-actions">
        {!isGone && <Button kind="main" icon="retry" label="Try again" onClick={onRetry} />}
        <Link href="/" className="button">
          To the recordings
        </Link>
      </p>
    </div>
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof ApiError)) return toldOf(error);
  if (error.code !== "unreachable") return error.detail;
  return "The service does not answer. Is it running, and is this device still on its network?";
}

function useTitle(name: string): void {
  useEffect(() => {
    const before = document.title;
    document.title = `${name} · Stemset`;
    return () => {
      document.title = before;
    };
  }, [name]);
}
