import { useState } from "react";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { toast } from "../ui/toasts";
import type { Controls } from "./controls";
import { linkTo } from "./link";
import { settingsOf } from "./settings";

/** Gives out a link to this place, with this mix. */
export function CopyLink({ controls }: { controls: Controls }) {
  const [shown, setShown] = useState<string | null>(null);
  const copy = async () => {
    const { player } = controls;
    const query = linkTo(controls.positionS, settingsOf(player.state.mix, player.output.rateHz));
    const link = `${location.origin}${location.pathname}${query}`;
    try {
      await navigator.clipboard.writeText(link);
      toast("Link copied: it opens here, with this mix.");
    } catch {
      // Pages without TLS may not write to the clipboard.
      setShown(link);
    }
  };
  return (
    <>
      <Button icon="link" label="Copy link" onClick={copy} />
      {shown !== null && (
        <Dialog title="Link to this place and mix" onClose={() => setShown(null)}>
          <div className="field">
            <input
              aria-label="Link"
              readOnly
              value={shown}
              onFocus={(event) => event.currentTarget.select()}
            />
          </div>
          <div className="dialog-actions">
            <Button kind="main" label="Done" onClick={() => setShown(null)} />
          </div>
        </Dialog>
      )}
    </>
  );
}
