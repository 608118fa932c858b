/** What is good to know about an output. */

import type { Output } from "../api/client";
import { detailsOf } from "./details";

export function OutputNotes({ output }: { output: Output }) {
  const { sum, strategy, rateHz, warnings } = detailsOf(output);
  return (
    <section className="card notes" aria-labelledby="notes">
      <h2 id="notes">About these stems</h2>
      <ul>
        {warnings.map((warning) => (
          <li key={warning}>{sentence(warning)}</li>
        ))}
        {sum && <li>{sum}</li>}
        {strategy && <li className="quiet">Split with {strategy}.</li>}
        {rateHz && <li className="quiet">Recorded at {(rateHz / 1000).toLocaleString()} kHz.</li>}
      </ul>
    </section>
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
