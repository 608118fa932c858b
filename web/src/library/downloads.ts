/** Where an output's files are downloaded; the service gives them their recording's name. */

import type { Output, OutputSummary } from "../api/client";

export interface StemFile {
  readonly stem: string;
  readonly file: string;
  readonly bytes: number;
}

export function zipPath({ output_id: id }: OutputSummary): string {
  return `/api/outputs/${id}/zip`;
}

export function filePath({ output_id: id }: OutputSummary, file: string): string {
  return `/api/outputs/${id}/files/${encodeURIComponent(file)}`;
}

/** The stems' files, as far as the metadata name them. */
export function stemFiles(output: Output): StemFile[] {
  return output.stems.flatMap((stem) => {
    const name = stemUrl(output.metadata.stems, stem);
    const found = output.files.find((each) => each.name === name);
    return found ? [{ stem, file: found.name, bytes: found.bytes }] : [];
  });
}

function stemUrl(stems: unknown, stem: string): unknown {
  const described = isRecord(stems) ? stems[stem] : null;
  return isRecord(described) ? described.stem_url : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
