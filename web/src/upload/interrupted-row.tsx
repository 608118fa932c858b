import { useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import type { Upload } from "../api/client";
import { readAnew } from "../api/queries";
import { Button } from "../ui/button";
import { size } from "../ui/format";
import { toast } from "../ui/toasts";
import { goesOnWith, OPEN_UPLOADS, receivedBytes } from "./interrupted";
import { abort } from "./service";
import { uploads } from "./uploads";

/** An upload that was broken off: no page can open a file again by itself, a person can. */
export function InterruptedRow({ upload }: { upload: Upload }) {
  const input = useRef<HTMLInputElement>(null);
  const client = useQueryClient();
  const { filename: name, size_bytes: bytes, profile_name: profile, upload_id: uploadId } = upload;
  const there = receivedBytes(upload);

  const goOn = (file: File | undefined) => {
    if (!file) return;
    if (goesOnWith(upload, file)) uploads.add([{ file, profile, uploadId }]);
    else
      toast(
        `That is another file: ${name} has ${size(bytes)}, ${file.name} has ${size(file.size)}.`,
        { kind: "bad" },
      );
  };
  const remove = async () => {
    try {
      await abort(uploadId);
    } catch {
      toast(`${name} could not be removed just now.`, { kind: "bad" });
    }
    void readAnew(client, OPEN_UPLOADS);
  };

  return (
    <li className="upload-row">
      <div className="upload-name">
        <strong>{name}</strong> <span className="quiet numeric">{size(bytes)}</span>
      </div>
      <progress aria-label={`Sent of ${name}`} value={there} max={bytes} />
      <p className="quiet">
        Broken off, or being sent by another page: {size(there)} of it are here. Choose the file
        again to go on; what is here is not sent again.
      </p>
      <div className="upload-actions">
        <Button icon="upload" label="Choose again" onClick={() => input.current?.click()}>
          <span className="visually-hidden">{name}</span>
        </Button>
        <Button icon="trash" kind="bare" label={`Remove ${name}`} hidesLabel onClick={remove} />
      </div>
      <input
        ref={input}
        type="file"
        hidden
        onChange={(event) => {
          goOn(event.target.files?.[0]);
          event.target.value = "";
        }}
      />
    </li>
  );
}
