/** Giving a recording another name. */

import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { answered, api, outlivesPage, type Recording } from "../api/client";
import { keys, readAnew } from "../api/queries";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { toast } from "../ui/toasts";
import { nameProblem } from "./names";
import { editRecording } from "./recordings";
import { quoted, reasonOf } from "./words";

interface Props {
  recording: Recording;
  onClose: () => void;
}

export function RenameDialog({ recording, onClose }: Props) {
  const [name, setName] = useState(recording.name);
  const [isSent, setSent] = useState(false);
  const rename = useRename();
  const fieldId = useId();
  const problemId = useId();
  const problem = nameProblem(name);
  const shown = isSent ? problem : null;
  function submit(event: FormEvent) {
    event.preventDefault();
    setSent(true);
    if (problem) return;
    if (name.trim() !== recording.name) void rename(recording, name.trim());
    onClose();
  }
  return (
    <Dialog title="Rename the recording" onClose={onClose}>
      <form onSubmit={submit}>
        <div className="field">
          <label htmlFor={fieldId}>Name</label>
          <input
            id={fieldId}
            value={name}
            dir="auto"
            autoComplete="off"
            aria-invalid={shown !== null}
            aria-describedby={problemId}
            onChange={(event) => setName(event.target.value)}
            onFocus={(event) => event.target.select()}
          />
        </div>
        <p id={problemId} className="quiet">
          {shown ?? `The file keeps its name, ${recording.filename}.`}
        </p>
        <div className="dialog-actions">
          <Button label="Cancel" onClick={onClose} />
          <Button kind="main" type="submit" label="Rename" />
        </div>
      </form>
    </Dialog>
  );
}

/** The new name is shown at once; if the service does not take it, the old one is back. */
function useRename() {
  const client = useQueryClient();
  return async ({ recording_id: id, name: before }: Recording, name: string) => {
    await client.cancelQueries({ queryKey: keys.recordings });
    editRecording(client, id, (each) => ({ ...each, name }));
    try {
      const params = { path: { recording_id: id } };
      const call = { params, body: { name }, ...outlivesPage };
      await answered(api.PATCH("/api/recordings/{recording_id}", call));
    } catch (error) {
      editRecording(client, id, (each) => ({ ...each, name: before }));
      const words = `${quoted(before)} keeps its name: it could not be renamed. ${reasonOf(error)}`;
      toast(words, { kind: "bad" });
    }
    await readAnew(client, keys.recordings);
  };
}
