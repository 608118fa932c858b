/** Everything that can be done with a recording, in the list that opens at its row. */

import type { OutputSummary, Recording } from "../api/client";
import { useOutput } from "../api/queries";
import { size } from "../ui/format";
import { Icon } from "../ui/icon";
import { Choice } from "../ui/popover";
import type { Actions } from "./actions";
import { filePath, stemFiles, zipPath } from "./downloads";

interface Props {
  recording: Recording;
  actions: Actions;
}

export function RecordingMenu({ recording, actions }: Props) {
  const { outputs } = recording;
  return (
    <>
      {outputs.map((output) => (
        <OutputChoices
          key={output.output_id}
          output={output}
          isNamed={outputs.length > 1}
          actions={actions}
        />
      ))}
      <Choice icon="edit" label="Rename…" onClick={() => actions.rename(recording)} />
      {recording.is_stored && (
        <Choice
          icon="retry"
          label={outputs.length > 0 ? "Separate again…" : "Separate…"}
          onClick={() => actions.separate(recording)}
        />
      )}
      <Choice icon="trash" label="Delete" isBad onClick={() => actions.remove(recording)} />
    </>
  );
}

interface OutputProps {
  output: OutputSummary;
  /** Whether it must be told apart from others of its recording. */
  isNamed: boolean;
  actions: Actions;
}

function OutputChoices({ output, isNamed, actions }: OutputProps) {
  const { data, isError } = useOutput(output.output_id);
  const of = isNamed ? ` (${output.profile_name})` : "";
  return (
    <>
      <a className="choice" href={zipPath(output)} download>
        <Icon name="download" />
        <span>All stems{of}, as a ZIP file</span>
      </a>
      {data
        ? stemFiles(data).map((each) => (
            <a key={each.file} className="choice" href={filePath(output, each.file)} download>
              <Icon name="download" />
              <span>
                {each.stem}
                {of}
              </span>
              <small className="quiet numeric">{size(each.bytes)}</small>
            </a>
          ))
        : output.stems.map((stem) => (
            <p key={stem} className="choice quiet">
              <Icon name="download" />
              <span>{isError ? `${stem} cannot be looked up now` : stem}</span>
            </p>
          ))}
      <Choice icon="link" label={`Copy link${of}`} onClick={() => actions.copyLink(output)} />
    </>
  );
}
