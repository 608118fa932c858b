/** Models that are not here, in words. */

import type { Model } from "../api/client";
import { size } from "../ui/format";

const NOT_GRANTED = "NONE";

/** What it takes to install a model: `84 MB, licence MIT`. */
export function priceOf({ size_bytes, licence }: Model): string {
  const bytes = size_bytes === null ? "size not published" : size(size_bytes);
  return `${bytes}, ${licence === NOT_GRANTED ? "no licence stated" : `licence ${licence}`}`;
}

/** How good a model is: `9.2 dB SDR for all four (Multisong dataset; MVSep)`. */
export function qualityOf({ scores }: Model): string | null {
  const [score] = scores;
  if (!score) return null;
  return `${score.sdr_db.toFixed(1)} dB SDR for ${score.stem} (${score.data}; ${score.source})`;
}

/** How far an install is: `Downloading: 12 MB of 84 MB`. */
export function stepOf({ phase, done_bytes, total_bytes }: NonNullable<Model["install"]>): string {
  const words = `${phase.charAt(0).toUpperCase()}${phase.slice(1)}`;
  if (done_bytes === null) return `${words}…`;
  return `${words}: ${size(done_bytes)}${total_bytes === null ? "" : ` of ${size(total_bytes)}`}`;
}

/** The part of an install that is done, null if nobody knows. */
export function partDone({ done_bytes, total_bytes }: NonNullable<Model["install"]>) {
  return done_bytes === null || !total_bytes ? null : Math.min(done_bytes / total_bytes, 1);
}
