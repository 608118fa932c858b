/** Exports the mix as it is heard: asked for, followed, downloaded. */

import { useMutation, useQuery } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";
import { ApiError, answered, api } from "../api/client";
import type { Mix } from "../engine/contract";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { clock, size, wait } from "../ui/format";
import { Icon } from "../ui/icon";
import type { Controls } from "./controls";
import { type ExportFormat, type ExportRequest, exportRequest } from "./export-request";
import { pitchText, speedText, stemTitle } from "./words";

const FORMATS: readonly (readonly [format: ExportFormat, about: string])[] = [
  ["mp3", "MP3: plays everywhere"],
  ["aac", "AAC (.m4a): for Apple devices"],
  ["opus", "Opus: small and good"],
  ["flac", "FLAC: exact, half the size of WAV"],
  ["wav", "WAV: exact, for a DAW"],
];
const POLL_MS = 1000;

interface Props {
  controls: Controls;
  mix: Mix;
  onClose: () => void;
}

export function ExportDialog({ controls, mix, onClose }: Props) {
  const { output } = controls.player;
  const [format, setFormat] = useState<ExportFormat>("mp3");
  const [isLoopOnly, setLoopOnly] = useState(false);
  const [exportId, setExportId] = useState<string | null>(null);

  const start = useMutation({
    mutationFn: (body: ExportRequest) =>
      answered(
        api.POST("/api/outputs/{output_id}/exports", {
          params: { path: { output_id: output.id } },
          body,
        }),
      ),
    onSuccess: (made) => setExportId(made.export_id),
  });

  if (exportId !== null) {
    return (
      <Dialog title="Export the mix" onClose={onClose}>
        <Followed exportId={exportId} onBack={() => setExportId(null)} onClose={onClose} />
      </Dialog>
    );
  }
  const request = exportRequest(mix, output, format, isLoopOnly);
  return (
    <Dialog title="Export the mix" onClose={onClose}>
      <form
        className="sheet"
        onSubmit={(event) => {
          event.preventDefault();
          if (request) start.mutate(request);
        }}
      >
        <p>{request ? inWords(request) : "Nothing would be heard: all stems are muted."}</p>
        <FormatField format={format} onChange={setFormat} />
        {mix.loop && (
          <RangeChoice
            controls={controls}
            mix={mix}
            isLoopOnly={isLoopOnly}
            onChange={setLoopOnly}
          />
        )}
        {start.error && <Problem error={start.error} />}
        <div className="dialog-actions">
          <Button label="Close" onClick={onClose} />
          <Button
            kind="main"
            type="submit"
            label={start.isPending ? "Asking…" : "Export"}
            disabled={!request || start.isPending}
          />
        </div>
      </form>
    </Dialog>
  );
}

interface FormatFieldProps {
  format: ExportFormat;
  onChange: (format: ExportFormat) => void;
}

function FormatField({ format, onChange }: FormatFieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>Format</label>
      <select
        id={id}
        value={format}
        onChange={(event) => {
          const chosen = FORMATS.find(([each]) => each === event.currentTarget.value);
          if (chosen) onChange(chosen[0]);
        }}
      >
        {FORMATS.map(([each, about]) => (
          <option key={each} value={each}>
            {about}
          </option>
        ))}
      </select>
    </div>
  );
}

interface RangeChoiceProps {
  controls: Controls;
  mix: Mix;
  isLoopOnly: boolean;
  onChange: (isLoopOnly: boolean) => void;
}

function RangeChoice({ controls, mix, isLoopOnly, onChange }: RangeChoiceProps) {
  const { rateHz } = controls.player.output;
  const loopS = mix.loop ? (mix.loop.end - mix.loop.start) / rateHz : 0;
  const choices = [
    [false, `The whole recording, ${clock(controls.durationS)}`],
    [true, `The loop alone, ${clock(loopS)}`],
  ] as const;
  return (
    <fieldset className="choices">
      <legend>How much</legend>
      {choices.map(([value, label]) => (
        <label key={label} className="switch">
          <input
            type="radio"
            name="range"
            checked={isLoopOnly === value}
            onChange={() => onChange(value)}
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

interface FollowedProps {
  exportId: string;
  onBack: () => void;
  onClose: () => void;
}

function Followed({ exportId, onBack, onClose }: FollowedProps) {
  const path = { export_id: exportId };
  const followed = useQuery({
    queryKey: ["exports", exportId],
    queryFn: () => answered(api.GET("/api/exports/{export_id}", { params: { path } })),
    refetchInterval: ({ state }) =>
      state.data?.state === "ready" || state.data?.state === "error" ? false : POLL_MS,
    staleTime: 0,
  });
  const cancel = useMutation({
    mutationFn: () => answered(api.DELETE("/api/exports/{export_id}", { params: { path } })),
    onSuccess: onBack,
  });
  const made = followed.data;
  if (!made) {
    return followed.error ? (
      <Ended onBack={onBack}>
        <Problem error={followed.error} />
      </Ended>
    ) : (
      <p role="status">Asking…</p>
    );
  }
  if (made.state === "error") {
    return (
      <Ended onBack={onBack}>
        <div className="notice" data-kind="bad" role="alert">
          The mix could not be exported. {made.error?.detail}
        </div>
      </Ended>
    );
  }
  if (made.state === "ready" && made.url !== null) {
    return (
      <div className="sheet">
        <p role="status">
          {made.filename} is ready{made.bytes === null ? "" : `: ${size(made.bytes)}`}.
          {made.lowered_db > 0 &&
            ` It is ${made.lowered_db.toFixed(1)} dB quieter than here, so that nothing clips.`}
        </p>
        <div className="dialog-actions">
          <Button label="Another one" onClick={onBack} />
          <a className="button" data-kind="main" href={made.url} download={made.filename}>
            <Icon name="download" />
            Download
          </a>
        </div>
      </div>
    );
  }
  const percent = Math.floor(made.progress * 100);
  return (
    <div className="sheet">
      <p role="status">
        {made.state === "queued" ? "Waiting for its turn…" : `Mixing: ${percent} %`}
        {made.eta_s !== null && `, ready in ${wait(made.eta_s)}`}
      </p>
      <progress aria-label="Progress of the export" value={made.progress} max={1} />
      {cancel.error && <Problem error={cancel.error} />}
      <p className="quiet">It goes on if you close this; the same mix is found again here.</p>
      <div className="dialog-actions">
        <Button
          kind="bad"
          label="Cancel the export"
          disabled={cancel.isPending}
          onClick={() => cancel.mutate()}
        />
        <Button label="Close" onClick={onClose} />
      </div>
    </div>
  );
}

function Ended({ onBack, children }: { onBack: () => void; children: ReactNode }) {
  return (
    <div className="sheet">
      {children}
      <div className="dialog-actions">
        <Button icon="retry" label="Try again" onClick={onBack} />
      </div>
    </div>
  );
}

function Problem({ error }: { error: Error }) {
  const why = error instanceof ApiError ? error.detail : String(error);
  return (
    <div className="notice" data-kind="bad" role="alert">
      The mix could not be exported. {why}
    </div>
  );
}

/** What the file will hold. */
function inWords({ stems, speed = 1, semitones = 0 }: ExportRequest): string {
  const names = Object.keys(stems).map(stemTitle).join(", ");
  const changes = [
    speed === 1 ? "" : `at ${speedText(speed)} speed`,
    semitones === 0 ? "" : `${pitchText(semitones)} semitones`,
  ].filter(Boolean);
  return `${[names, ...changes].join(", ")}: with the volumes and pans that are set now.`;
}
