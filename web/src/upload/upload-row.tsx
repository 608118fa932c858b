import { Button } from "../ui/button";
import { size, wait } from "../ui/format";
import { reasonOf } from "./problem";
import { canPause, type UploadItem } from "./queue";
import { uploads } from "./uploads";

/** One file: how far it is, and what can be done with it. */
export function UploadRow({ item }: { item: UploadItem }) {
  const { name, bytes, stage, problem, held, doneBytes } = item;
  const isMoving = stage === "reading" || stage === "uploading";
  return (
    <li className="upload-row" data-stage={stage}>
      <div className="upload-name">
        <strong>{name}</strong> <span className="quiet numeric">{size(bytes)}</span>
      </div>
      {stage !== "failed" && stage !== "given" && (
        <progress
          aria-label={isMoving ? `Progress of ${name}` : `${name} is ${stage}`}
          max={bytes}
          {...(stage === "checking" ? {} : { value: doneBytes })}
        />
      )}
      {problem ? (
        <div className="notice" data-kind="bad">
          <p>
            <strong>Not taken.</strong> {problem.what} {problem.next}
          </p>
          {problem.detail && <p className="quiet">{problem.detail}</p>}
        </div>
      ) : (
        <p className="quiet numeric">{held ? reasonOf(held) : standing(item)}</p>
      )}
      {item.looksOdd && isOpen(item) && (
        <p className="quiet">
          Its name does not look like audio or video; it is tried all the same.
        </p>
      )}
      <Actions item={item} />
    </li>
  );
}

function Actions({ item }: { item: UploadItem }) {
  const { id, name, stage, isPaused, problem } = item;
  const isEnded = stage === "failed" || stage === "given";
  return (
    <div className="upload-actions">
      {canPause(item) && (
        <Button
          icon="pause"
          kind="bare"
          hidesLabel
          label={`Pause ${name}`}
          onClick={() => uploads.pause(id)}
        />
      )}
      {isPaused && (
        <Button icon="play" label="Resume" onClick={() => uploads.resume(id)}>
          <span className="visually-hidden">{name}</span>
        </Button>
      )}
      {problem?.canRetry && (
        <Button icon="retry" label="Try again" onClick={() => uploads.retry(id)}>
          <span className="visually-hidden">{name}</span>
        </Button>
      )}
      {stage !== "checking" && (
        <Button
          icon="close"
          kind="bare"
          hidesLabel
          label={isEnded ? `Take ${name} off the list` : `Cancel ${name}`}
          onClick={() => uploads.cancel(id)}
        />
      )}
    </div>
  );
}

function isOpen({ stage }: UploadItem): boolean {
  return stage !== "failed" && stage !== "given";
}

/** How a file stands, in words and figures. */
function standing(item: UploadItem): string {
  const { stage, isPaused, doneBytes, bytes, finished } = item;
  const percent = `${Math.floor((100 * doneBytes) / bytes)} %`;
  if (isPaused) return doneBytes > 0 ? `Paused at ${percent}.` : "Paused.";
  if (stage === "reading") return `Reading the file: ${percent}.`;
  if (stage === "uploading") return `Sent ${[percent, ...pace(item)].join(" · ")}`;
  if (stage === "checking") return "Sent. The service checks it.";
  if (stage === "waiting") return "Waits for its turn.";
  if (!finished?.wasHere) return "Sent, and given to a job.";
  return finished.isNewJob
    ? "It was here already, so nothing was sent. It is given to a job."
    : "It was here already, and so is its job: nothing was sent.";
}

function pace({ bytesPerSecond, leftS }: UploadItem): string[] {
  if (bytesPerSecond === null) return [];
  const speed = `${size(bytesPerSecond)}/s`;
  return leftS === null ? [speed] : [speed, `${wait(leftS)} left`];
}
