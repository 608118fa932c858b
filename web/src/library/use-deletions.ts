/** Deleting recordings from the page: a word with "Undo", and when that is gone the call. */

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";
import { ApiError, answered, api, outlivesPage, type Recording } from "../api/client";
import { keys, readAnew } from "../api/queries";
import { toast } from "../ui/toasts";
import { Deletions } from "./deletions";
import { removeRecording } from "./recordings";
import { quoted, reasonOf } from "./words";

export const UNDO_MS = 8000;

// Outlives the view: who opens a recording meanwhile can still take a deletion back.
const deletions = new Deletions();

/** The ids of what is hidden, and what deletes a recording. */
export function useDeletions(): [ReadonlySet<string>, (recording: Recording) => void] {
  const client = useQueryClient();
  const hidden = useSyncExternalStore(
    (listener) => deletions.subscribe(listener),
    () => deletions.hidden,
  );
  const remove = useCallback((recording: Recording) => begin(client, recording), [client]);
  return [hidden, remove];
}

function begin(client: QueryClient, { recording_id: id, name }: Recording): void {
  const send = async () => {
    removeEventListener("pagehide", leave);
    try {
      await deletions.send(id, () => tell(client, id));
    } catch (error) {
      toast(`${quoted(name)} could not be deleted and is still here. ${reasonOf(error)}`, {
        kind: "bad",
      });
    }
  };
  const leave = () => void send();
  const undo = () => {
    removeEventListener("pagehide", leave);
    deletions.undo(id);
  };
  addEventListener("pagehide", leave);
  deletions.add(id);
  toast(`${quoted(name)} was deleted.`, {
    forMs: UNDO_MS,
    action: { label: "Undo", run: undo },
    onGone: () => void send(),
  });
}

/** Tell the service; what is gone already is as good as deleted. */
async function tell(client: QueryClient, id: string): Promise<void> {
  const params = { path: { recording_id: id } };
  try {
    await answered(api.DELETE("/api/recordings/{recording_id}", { params, ...outlivesPage }));
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "recording_not_found")) throw error;
  }
  await client.cancelQueries({ queryKey: keys.recordings });
  removeRecording(client, id);
  void readAnew(client, keys.recordings);
}
