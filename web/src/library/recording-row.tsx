/** One recording in the list: what it is, how it stands, and what can be done with it. */

import { memo } from "react";
import { Link } from "wouter";
import type { Job, Recording } from "../api/client";
import { Button } from "../ui/button";
import { clock, spokenClock } from "../ui/format";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/popover";
import type { Actions } from "./actions";
import { RecordingMenu } from "./recording-menu";
import { outputWords, standingOf } from "./standing";
import { Thumbnail } from "./thumbnail";
import { ago, exactly } from "./words";

// As many lines as a row has room for.
const SHOWN_OUTPUTS = 2;

interface Props {
  recording: Recording;
  /** Its newest job as it is by now, while that is open. */
  liveJob: Job | null;
  now: Date;
  actions: Actions;
}

export const RecordingRow = memo(function RecordingRow({
  liveJob,
  now,
  actions,
  ...listed
}: Props) {
  const recording = liveJob ? { ...listed.recording, newest_job: liveJob } : listed.recording;
  const { name, duration_s: duration } = recording;
  return (
    <article className="recording" data-has-stems={recording.outputs.length > 0}>
      <Thumbnail output={recording.outputs[0] ?? null} />
      <div className="recording-facts">
        <h3 title={name}>
          <bdi>{name}</bdi>
        </h3>
        <p className="quiet numeric">
          <Moment at={recording.created_at} now={now} />
          {duration !== null && (
            <>
              <span aria-hidden="true"> · {clock(duration)}</span>
              <span className="visually-hidden">, {spokenClock(duration)}</span>
            </>
          )}
        </p>
      </div>
      <StandingOf recording={recording} />
      <div className="recording-actions">
        <MainAction recording={recording} actions={actions} />
        <Popover label={`More for ${name}`} hidesLabel icon="more">
          {() => <RecordingMenu recording={recording} actions={actions} />}
        </Popover>
      </div>
    </article>
  );
});

function Moment({ at, now }: { at: string; now: Date }) {
  const moment = new Date(at);
  return (
    <time dateTime={at} title={exactly(moment)}>
      {ago(moment, now)}
    </time>
  );
}

function StandingOf({ recording }: { recording: Recording }) {
  const standing = standingOf(recording);
  if (standing.kind === "ready") {
    const { outputs } = recording;
    const more = outputs.length - SHOWN_OUTPUTS;
    return (
      <div className="recording-standing quiet" title={outputs.map(outputWords).join("\n")}>
        {outputs.slice(0, SHOWN_OUTPUTS).map((each) => (
          <p key={each.output_id}>{outputWords(each)}</p>
        ))}
        {more > 0 && <p>and {more} more</p>}
        {standing.problem !== null && <p>The last try failed: {standing.problem}</p>}
      </div>
    );
  }
  return (
    <div className="recording-standing" data-kind={standing.kind}>
      <p className="recording-words" title={standing.words}>
        {standing.kind === "failed" && <strong>Failed: </strong>}
        {standing.words}
      </p>
      {standing.kind === "working" && standing.progress !== null && (
        <progress value={standing.progress} aria-label={`Progress of ${recording.name}`} />
      )}
    </div>
  );
}

function MainAction({ recording, actions }: { recording: Recording; actions: Actions }) {
  const { name, outputs } = recording;
  const [output, ...others] = outputs;
  if (output && others.length > 0) {
    return (
      <Popover label={`Play ${name}`} shown="Play" icon="play" kind="main">
        {() => outputs.map((each) => <PlayChoice key={each.output_id} output={each} />)}
      </Popover>
    );
  }
  if (output) {
    return (
      <Link
        className="button"
        data-kind="main"
        href={`/play/${output.output_id}`}
        aria-label={`Play ${name}`}
      >
        <Icon name="play" />
        Play
      </Link>
    );
  }
  const standing = standingOf(recording);
  if (standing.kind === "failed" && standing.job.can_retry) {
    return (
      <Button
        icon="retry"
        label="Try again"
        aria-label={`Try again: ${name}`}
        onClick={() => actions.retry(standing.job)}
      />
    );
  }
  if (standing.kind === "working" || !recording.is_stored) return null;
  return (
    <Button
      label="Separate"
      aria-label={`Separate ${name}`}
      onClick={() => actions.separate(recording)}
    />
  );
}

function PlayChoice({ output }: { output: Recording["outputs"][number] }) {
  return (
    <Link className="choice" href={`/play/${output.output_id}`}>
      <Icon name="play" />
      <span>
        {output.profile_name}
        <small className="quiet second-line">{output.stems.join(", ")}</small>
      </span>
    </Link>
  );
}

/** Where a recording will stand that is not fetched yet. */
export function RowToCome() {
  return (
    <article className="recording" data-to-come>
      <Thumbnail output={null} />
      <p className="quiet">Loading…</p>
    </article>
  );
}
