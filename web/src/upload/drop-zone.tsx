/** Where files are chosen; the whole page takes what is dropped or pasted. */

import { useEffect, useRef, useState } from "react";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { holdsFiles } from "../ui/stray-drops";
import { type Gathered, gatherChosen, gatherDropped } from "./dropped";

const ACCEPTED = "audio/*,video/*,.aif,.aiff,.ape,.caf,.flac,.m4a,.mka,.opus,.w64,.wav,.wma,.wv";
const CAN_CHOOSE_FOLDERS = "webkitdirectory" in HTMLInputElement.prototype;

interface Props {
  isDisabled: boolean;
  onGathered: (gathered: Gathered) => void;
}

export function DropZone({ isDisabled, onGathered }: Props) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const isOver = useWindowDrop(isDisabled, onGathered);
  const chosen = ({ currentTarget }: React.ChangeEvent<HTMLInputElement>) => {
    onGathered(gatherChosen(currentTarget.files ?? []));
    currentTarget.value = ""; // the same file can be chosen again
  };
  return (
    <div className="drop-controls">
      <button
        type="button"
        className="drop-zone"
        data-is-over={isOver}
        disabled={isDisabled}
        onClick={() => files.current?.click()}
      >
        <Icon name="upload" />
        <strong>Choose recordings</strong>
        <span className="quiet drop-hint">or drop files and folders anywhere on this page</span>
      </button>
      <input ref={files} type="file" multiple accept={ACCEPTED} hidden onChange={chosen} />
      {CAN_CHOOSE_FOLDERS && (
        <>
          <Button
            label="Choose a folder"
            disabled={isDisabled}
            onClick={() => folder.current?.click()}
          />
          <input
            ref={(input) => {
              folder.current = input;
              if (input) input.webkitdirectory = true;
            }}
            type="file"
            hidden
            onChange={chosen}
          />
        </>
      )}
      {isOver && (
        <div className="drop-veil" aria-hidden="true">
          <p>Drop to add</p>
        </div>
      )}
    </div>
  );
}

/** Take what is dropped or pasted anywhere; gives whether files are held over the page. */
function useWindowDrop(isDisabled: boolean, onGathered: (gathered: Gathered) => void): boolean {
  const [isOver, setIsOver] = useState(false);
  const take = useRef(onGathered);
  take.current = onGathered;
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = isDisabled ? "none" : "copy";
      setIsOver(!isDisabled);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setIsOver(false);
    };
    const drop = async (event: DragEvent) => {
      if (!holdsFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      setIsOver(false);
      if (!isDisabled) take.current(await gatherDropped(event.dataTransfer));
    };
    const paste = (event: ClipboardEvent) => {
      const pasted = event.clipboardData?.files;
      if (pasted?.length && !isDisabled) take.current(gatherChosen(pasted));
    };
    addEventListener("dragenter", over);
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    addEventListener("paste", paste);
    return () => {
      removeEventListener("dragenter", over);
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
      removeEventListener("paste", paste);
    };
  }, [isDisabled]);
  return isOver;
}
