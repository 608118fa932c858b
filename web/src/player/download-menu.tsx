/** What can be taken home: each stem, or all of them. */

import { useId } from "react";
import type { Output } from "../api/client";
import { size } from "../ui/format";
import { Icon } from "../ui/icon";
import { stemTitle } from "./words";

export function DownloadMenu({ output }: { output: Output }) {
  const id = useId();
  const base = `/api/outputs/${output.output_id}`;
  return (
    <>
      <button type="button" className="button" popoverTarget={id}>
        <Icon name="download" />
        Download
      </button>
      <div id={id} popover="auto" className="menu">
        <ul>
          {stemFiles(output).map(({ stem, name, bytes }) => (
            <li key={name}>
              <a href={`${base}/files/${encodeURIComponent(name)}`} download>
                {stemTitle(stem)}
                <span className="quiet numeric">{size(bytes)}</span>
              </a>
            </li>
          ))}
          <li>
            <a href={`${base}/zip`} download>
              All stems as a ZIP file
            </a>
          </li>
        </ul>
      </div>
    </>
  );
}

/** The files of the stems, as the metadata name them. */
export function stemFiles(output: Output): { stem: string; name: string; bytes: number }[] {
  const { stems } = output.metadata;
  const described: Readonly<Record<string, unknown>> =
    typeof stems === "object" && stems !== null ? { ...stems } : {};
  return output.stems.flatMap((stem) => {
    const about = described[stem];
    const name =
      typeof about === "object" && about !== null && "stem_url" in about ? about.stem_url : null;
    const file = output.files.find((each) => each.name === name);
    return file ? [{ stem, name: file.name, bytes: file.bytes }] : [];
  });
}
