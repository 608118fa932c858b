/** What is open, and what can be taken from it. */

import { Link } from "wouter";
import type { Output } from "../api/client";
import { Button } from "../ui/button";
import { clock } from "../ui/format";
import { Icon } from "../ui/icon";
import type { Controls } from "./controls";
import { CopyLink } from "./copy-link";
import { DownloadMenu } from "./download-menu";

interface Props {
  output: Output;
  controls: Controls;
  onHelp: () => void;
  onExport: () => void;
}

export function PlayerHeader({ output, controls, onHelp, onExport }: Props) {
  const made = new Date(output.completed_at);
  const about = [
    made.toLocaleDateString(undefined, { dateStyle: "medium" }),
    clock(controls.durationS),
    output.format?.toUpperCase(),
    output.profile_name,
  ];
  return (
    <header className="player-header">
      <Link href="/" className="button" data-kind="bare" aria-label="Back to the recordings">
        <Icon name="back" />
      </Link>
      <div className="player-title">
        <h1>{output.recording_name}</h1>
        <p className="quiet numeric">{about.filter(Boolean).join(" · ")}</p>
      </div>
      <div className="player-actions">
        <DownloadMenu output={output} />
        <Button icon="note" label="Export mix" onClick={onExport} />
        <CopyLink controls={controls} />
      </div>
      <Button kind="bare" icon="help" label="Keys and gestures" hidesLabel onClick={onHelp} />
    </header>
  );
}
