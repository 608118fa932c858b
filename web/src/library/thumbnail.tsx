/** A recording's waveform in the list, fetched once its row has come to rest. */

import { useQuery } from "@tanstack/react-query";
import { memo, useEffect, useMemo, useState } from "react";
import { answered, api, type OutputSummary } from "../api/client";
import { BARS, HALF, waveformPath } from "./waveform";

const SETTLED_AFTER_MS = 120;
const SILENCE = `M0 ${HALF}H${BARS}`;

interface Props {
  /** Null while there are no stems. */
  output: OutputSummary | null;
}

/** Silence for as long as there is nothing else to draw. */
export const Thumbnail = memo(function Thumbnail({ output }: Props) {
  const isSettled = useSettled();
  return output && isSettled ? <OutputThumbnail output={output} /> : <Drawing path={null} />;
});

function OutputThumbnail({ output: { output_id: id, completed_at } }: { output: OutputSummary }) {
  const { data } = useQuery({
    queryKey: ["waveforms", id, completed_at],
    queryFn: ({ signal }) =>
      answered(
        api.GET("/api/outputs/{output_id}/waveform", {
          params: { path: { output_id: id }, query: { completed_at } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false, // a picture is no reason to trouble anybody
  });
  const peaks = data?.peaks;
  const path = useMemo(() => (peaks?.length ? waveformPath(peaks) : null), [peaks]);
  return <Drawing path={path} />;
}

function Drawing({ path }: { path: string | null }) {
  return (
    <svg
      className="thumbnail"
      data-drawn={path !== null}
      viewBox={`0 0 ${BARS} ${2 * HALF}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={path ?? SILENCE} />
    </svg>
  );
}

/** Whether it has been on the page for a moment: rows that fly by ask for nothing. */
function useSettled(): boolean {
  const [isSettled, setSettled] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), SETTLED_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  return isSettled;
}
