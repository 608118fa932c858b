/** Separating a recording that is here, anew or with another profile. */

import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Profile, Recording } from "../api/client";
import { processRecording } from "../api/processing";
import { keys, readAnew, useProfiles } from "../api/queries";
import { useReadiness } from "../api/readiness";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { toast } from "../ui/toasts";
import { quoted, reasonOf } from "./words";

interface Props {
  recording: Recording;
  onClose: () => void;
}

export function SeparateDialog({ recording, onClose }: Props) {
  const { data: profiles, isError } = useProfiles();
  const client = useQueryClient();
  const [chosen, setChosen] = useState<string | null>(null);
  const made = new Set(recording.outputs.map((each) => each.profile_name));
  const { isReady, obstacleOf } = useReadiness();
  const ready = profiles?.filter(isReady);
  const first = ready?.find((each) => !made.has(each.name)) ?? ready?.[0];
  const profile = chosen ?? first?.name;
  async function submit(event: FormEvent) {
    event.preventDefault();
    if (profile === undefined) return;
    onClose();
    try {
      toast(await separate(recording, profile));
    } catch (error) {
      toast(`${quoted(recording.name)} could not be separated. ${reasonOf(error)}`, {
        kind: "bad",
      });
    }
    for (const key of [keys.jobs, keys.recordings]) void readAnew(client, key);
  }
  return (
    <Dialog title={`Separate ${quoted(recording.name)}`} onClose={onClose}>
      <form onSubmit={submit}>
        <fieldset className="separate-profiles">
          <legend>Profile</legend>
          {isError && <p>The profiles could not be looked up. Close this and try again.</p>}
          {profiles?.map((each) => (
            <label key={each.name} className="separate-profile">
              <input
                type="radio"
                name="profile"
                value={each.name}
                checked={each.name === profile}
                disabled={!isReady(each)}
                onChange={() => setChosen(each.name)}
              />
              <span>
                {each.name}
                {obstacleOf(each)}
                {made.has(each.name) && " – made before"}
                <small className="quiet second-line">{profileWords(each)}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <div className="dialog-actions">
          <Button label="Cancel" onClick={onClose} />
          <Button kind="main" type="submit" label="Separate" disabled={profile === undefined} />
        </div>
      </form>
    </Dialog>
  );
}

/** Asks for the job. Returns what came of it. */
async function separate(recording: Recording, profile: string): Promise<string> {
  const accepted = await processRecording(recording.recording_id, profile);
  const name = quoted(recording.name);
  return accepted.created
    ? `${name} will be separated with ${profile}.`
    : `${name} was separated with ${profile} before; nothing has changed since.`;
}

function profileWords({ stems, output, remote }: Profile): string {
  const where = remote ? "on the worker" : "on this service's machine";
  return `${stems.join(", ")} as ${output.format}, made ${where}`;
}
