/** What the rows' buttons do: calls at once, and questions first where there is one to ask. */

import { useMemo } from "react";
import type { OutputSummary, Recording } from "../api/client";
import { useRetryJob } from "../api/jobs";
import { toast } from "../ui/toasts";
import type { Actions } from "./actions";
import { reasonOf } from "./words";

/** What is asked before anything is done. */
export type Question =
  | { readonly kind: "rename"; readonly recording: Recording }
  | { readonly kind: "separate"; readonly recording: Recording }
  | { readonly kind: "link"; readonly link: string };

/**
 * @param ask Puts a question.
 * @param remove Deletes a recording.
 */
export function useActions(
  ask: (question: Question) => void,
  remove: (recording: Recording) => void,
): Actions {
  const { mutate: retry } = useRetryJob();
  return useMemo(
    () => ({
      rename: (recording) => ask({ kind: "rename", recording }),
      separate: (recording) => ask({ kind: "separate", recording }),
      retry: (job) =>
        retry(job, {
          onError: (error) =>
            toast(`It could not be tried again. ${reasonOf(error)}`, { kind: "bad" }),
        }),
      copyLink: (output) => void copyLink(output, ask),
      remove,
    }),
    [ask, remove, retry],
  );
}

async function copyLink(
  { output_id: id }: OutputSummary,
  ask: (question: Question) => void,
): Promise<void> {
  const link = `${location.origin}/play/${id}`;
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    ask({ kind: "link", link }); // a page that came without TLS has no clipboard
    return;
  }
  const reach = isOwnMachine(location.hostname) ? " It opens on this machine only." : "";
  toast(`The link was copied.${reach}`);
}

function isOwnMachine(host: string): boolean {
  return host === "localhost" || host === "[::1]" || host.startsWith("127.");
}
