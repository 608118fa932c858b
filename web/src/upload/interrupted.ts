/** Uploads that were broken off: the service has some of their parts, this page has no file. */

import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { Upload } from "../api/client";
import { listOpen } from "./service";
import { uploads } from "./uploads";

const LOOK_EVERY_MS = 10_000;

export const OPEN_UPLOADS = ["uploads"] as const;

interface Interrupted {
  readonly interrupted: readonly Upload[];
  /** Whether the service has said which there are, or will not. */
  readonly isKnown: boolean;
}

/** The open ones that this page is not at; looked at again while there are some. */
export function useInterrupted(): Interrupted {
  useSyncExternalStore(uploads.subscribe, uploads.items);
  const { data = [], isPending } = useQuery({
    queryKey: OPEN_UPLOADS,
    queryFn: listOpen,
    refetchOnWindowFocus: "always",
    refetchInterval: ({ state }) => (state.data?.some(isElsewhere) ? LOOK_EVERY_MS : false),
  });
  return { interrupted: data.filter(isElsewhere), isKnown: !isPending };
}

function isElsewhere({ upload_id }: Upload): boolean {
  return !uploads.holds(upload_id);
}

/** Whether a file may be the one of an upload; its mark, which the service compares, says surely. */
export function goesOnWith(upload: Upload, file: File): boolean {
  const name = file.name.normalize("NFC").trim(); // as the service shows it
  return upload.size_bytes === file.size && upload.filename === name;
}

/** How many of its bytes are there. */
export function receivedBytes({ received, parts, part_bytes, size_bytes }: Upload): number {
  const hasLast = received.includes(parts);
  const shortBy = hasLast ? parts * part_bytes - size_bytes : 0;
  return received.length * part_bytes - shortBy;
}
