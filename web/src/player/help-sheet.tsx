/** Which keys and gestures there are, and whether single keys do anything. */

import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import type { Cell } from "./cell";
import { useCell } from "./hooks";
import { SHORTCUTS } from "./keyboard";
import { Switch } from "./more-sheet";

const GESTURES: readonly (readonly [hand: string, does: string])[] = [
  ["Click a waveform", "Go there"],
  ["Drag a waveform", "Move the view"],
  ["Drag on the ruler, or Shift and drag", "Loop a stretch"],
  ["Two fingers, or Ctrl and the wheel", "Zoom"],
  ["Double click a slider", "Put it back"],
];

interface Props {
  hasKeys: Cell<boolean>;
  onClose: () => void;
}

export function HelpSheet({ hasKeys, onClose }: Props) {
  const isOn = useCell(hasKeys);
  return (
    <Dialog title="Keys and gestures" onClose={onClose}>
      <div className="sheet">
        <Switch label="Use single keys" isOn={isOn} onChange={(on) => hasKeys.set(on)} />
        <dl className="shortcuts" data-off={!isOn || undefined}>
          {SHORTCUTS.map(([keys, does]) => (
            <div key={keys}>
              <dt>
                <kbd>{keys}</kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <dl className="shortcuts">
          {GESTURES.map(([hand, does]) => (
            <div key={hand}>
              <dt>{hand}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      </div>
      <div className="dialog-actions">
        <Button kind="main" label="Done" onClick={onClose} />
      </div>
    </Dialog>
  );
}
