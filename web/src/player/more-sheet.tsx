/** Controls that are not always at hand. */

import type { Mix } from "../engine/contract";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import type { Controls } from "./controls";
import { useCell } from "./hooks";
import { LoopPanel } from "./loop-panel";
import { SoundFields } from "./sound-fields";
import { whole } from "./span";

interface Props {
  controls: Controls;
  mix: Mix;
  onClose: () => void;
}

export function MoreSheet({ controls, mix, onClose }: Props) {
  const isFollowing = useCell(controls.isFollowing);
  return (
    <Dialog title="More controls" onClose={onClose}>
      <div className="sheet">
        <section className="panel" aria-label="Sound">
          <h3>Sound</h3>
          <SoundFields controls={controls} mix={mix} />
          <Switch
            label="Even out how loud the stems are"
            isOn={mix.isLevelled}
            onChange={(isLevelled) => controls.player.setMix({ isLevelled })}
          />
        </section>
        <LoopPanel controls={controls} />
        <section className="panel" aria-label="View">
          <div className="panel-head">
            <h3>View</h3>
            <ZoomButtons controls={controls} />
          </div>
          <Switch
            label="Follow the playhead"
            isOn={isFollowing}
            onChange={(isOn) => controls.isFollowing.set(isOn)}
          />
        </section>
      </div>
      <div className="dialog-actions">
        <Button kind="main" label="Done" onClick={onClose} />
      </div>
    </Dialog>
  );
}

export function ZoomButtons({ controls }: { controls: Controls }) {
  return (
    <div className="transport-group">
      <Button icon="zoomOut" label="Zoom out" hidesLabel onClick={() => controls.zoom(2)} />
      <Button label="Show all" onClick={() => controls.view.show(whole(controls.durationS))} />
      <Button icon="zoomIn" label="Zoom in" hidesLabel onClick={() => controls.zoom(0.5)} />
    </div>
  );
}

interface SwitchProps {
  label: string;
  isOn: boolean;
  onChange: (isOn: boolean) => void;
}

export function Switch({ label, isOn, onChange }: SwitchProps) {
  return (
    <label className="switch">
      <input
        type="checkbox"
        checked={isOn}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      {label}
    </label>
  );
}
