/** Adding recordings: what they become, where they are chosen, and how far each is. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useState, useSyncExternalStore } from "react";
import type { Upload } from "../api/client";
import { keys } from "../api/queries";
import { Button } from "../ui/button";
import { toast } from "../ui/toasts";
import { canStayAwake, isHandheld } from "./awake";
import { DropZone } from "./drop-zone";
import type { Gathered } from "./dropped";
import { goesOnWith, useInterrupted } from "./interrupted";
import { InterruptedRow } from "./interrupted-row";
import { ProfileChoice } from "./profile-choice";
import { type Chosen, canPause, isSending, type UploadItem } from "./queue";
import { summary } from "./summary";
import { UploadRow } from "./upload-row";
import { startUploads, uploads } from "./uploads";
import "./upload.css";

let hasStarted = false;

export function UploadPanel() {
  const items = useSyncExternalStore(uploads.subscribe, uploads.items);
  const interrupted = useInterrupted();
  const [profile, setProfile] = useState<string | null>(null);
  const titleId = useId();

  useEffect(() => {
    if (hasStarted) return;
    hasStarted = true;
    startUploads();
  }, []);
  useJobsOf(items);

  const take = (gathered: Gathered) => add(gathered, profile, interrupted);
  return (
    <section className="card upload" aria-labelledby={titleId}>
      <h2 id={titleId}>Add recordings</h2>
      <DropZone isDisabled={profile === null} onGathered={take} />
      <ProfileChoice chosen={profile} onChoose={setProfile} />
      <Together items={items} />
      {items.length + interrupted.length > 0 && (
        <ul className="upload-rows">
          {items.map((item) => (
            <UploadRow key={item.id} item={item} />
          ))}
          {interrupted.map((upload) => (
            <InterruptedRow key={upload.upload_id} upload={upload} />
          ))}
        </ul>
      )}
      <p className="visually-hidden" role="status">
        {summary(items)}
      </p>
    </section>
  );
}

/** What concerns all files at once. */
function Together({ items }: { items: readonly UploadItem[] }) {
  const running = items.filter(canPause);
  const paused = items.filter((item) => item.isPaused);
  const needsScreen = isHandheld() && !canStayAwake() && items.some(isSending);
  return (
    <>
      {needsScreen && (
        <p className="notice">Keep this page open and the screen on until all is sent.</p>
      )}
      {items.length > 1 && (
        <div className="upload-together">
          <p className="quiet">{summary(items)}</p>
          {running.length > 0 && (
            <Button
              icon="pause"
              label="Pause all"
              onClick={() => {
                for (const { id } of running) uploads.pause(id);
              }}
            />
          )}
          {paused.length > 0 && (
            <Button
              icon="play"
              label="Resume all"
              onClick={() => {
                for (const { id } of paused) uploads.resume(id);
              }}
            />
          )}
        </div>
      )}
    </>
  );
}

/** Each file that is given to a job makes the lists of jobs and recordings anew. */
function useJobsOf(items: readonly UploadItem[]): void {
  const client = useQueryClient();
  const given = items
    .filter(({ stage }) => stage === "given")
    .map(({ id }) => id)
    .join();
  useEffect(() => {
    if (!given) return;
    client.invalidateQueries({ queryKey: keys.jobs });
    client.invalidateQueries({ queryKey: keys.recordings });
  }, [client, given]);
}

async function add(
  { files, leftOut }: Gathered,
  profile: string | null,
  interrupted: readonly Upload[],
): Promise<void> {
  if (profile === null) return;
  const chosen = files.map((file): Chosen => {
    const open = interrupted.find((upload) => goesOnWith(upload, file));
    return open
      ? { file, profile: open.profile_name, uploadId: open.upload_id }
      : { file, profile, uploadId: null };
  });
  const repeated = await uploads.add(chosen);
  if (repeated > 0) toast(`${filesOf(repeated)} in the list already; nothing is sent twice.`);
  if (leftOut.length > 0) toast(`Left out, being no recordings: ${named(leftOut)}.`);
  if (files.length === 0 && leftOut.length === 0) toast("There is no file in what you chose.");
}

function filesOf(count: number): string {
  return count === 1 ? "1 file is" : `${count} files are`;
}

function named(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
