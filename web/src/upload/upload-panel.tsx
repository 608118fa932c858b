/** Adding recordings: what they become, where they are chosen, and how far each is. */

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useState, useSyncExternalStore } from "react";
import type { Upload } from "../api/client";
import { keys, readAnew } from "../api/queries";
import { Button } from "../ui/button";
import { toast } from "../ui/toasts";
import { canStayAwake, isHandheld } from "./awake";
import { DropZone } from "./drop-zone";
import { type Gathered, together } from "./dropped";
import { goesOnWith, useInterrupted } from "./interrupted";
import { InterruptedRow } from "./interrupted-row";
import { type Choice, ProfileChoice } from "./profile-choice";
import { type Chosen, canPause, isSending, type UploadItem } from "./queue";
import { summary } from "./summary";
import { UploadRow } from "./upload-row";
import { startUploads, uploads } from "./uploads";
import "./upload.css";

let hasStarted = false;

export function UploadPanel() {
  const items = useSyncExternalStore(uploads.subscribe, uploads.items);
  const { interrupted, isKnown } = useInterrupted();
  const [profile, setProfile] = useState<Choice>();
  const [chosen, setChosen] = useState<Gathered | null>(null);
  const titleId = useId();

  useEffect(() => {
    if (hasStarted) return;
    hasStarted = true;
    startUploads();
  }, []);
  useJobsOf(items);

  // What is chosen early waits: for what it is to become, and for what the service has of it.
  const mayAdd = Boolean(profile) && isKnown;
  useEffect(() => {
    if (!chosen || !profile || !mayAdd) return;
    setChosen(null);
    void add(chosen, profile, interrupted);
  }, [chosen, profile, mayAdd, interrupted]);
  const take = (more: Gathered) => setChosen((before) => (before ? together(before, more) : more));
  return (
    <section className="card upload" aria-labelledby={titleId}>
      <h2 id={titleId}>Add recordings</h2>
      <DropZone isDisabled={profile === null} onGathered={take} />
      <ProfileChoice chosen={profile} onChoose={setProfile} />
      {chosen && !mayAdd && <Waiting count={chosen.files.length} />}
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

/** Files that were chosen before it is known what becomes of them, and what is here of them. */
function Waiting({ count }: { count: number }) {
  return (
    <p className="notice" role="status">
      {filesOf(count)} added as soon as sending can begin.
    </p>
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
    for (const key of [keys.jobs, keys.recordings]) void readAnew(client, key);
  }, [client, given]);
}

async function add(
  { files, leftOut }: Gathered,
  profile: string,
  interrupted: readonly Upload[],
): Promise<void> {
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
