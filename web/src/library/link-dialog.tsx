/** A link to copy by hand, where the browser lets no page write to the clipboard. */

import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";

interface Props {
  link: string;
  onClose: () => void;
}

export function LinkDialog({ link, onClose }: Props) {
  return (
    <Dialog title="Copy the link" onClose={onClose}>
      <label className="field">
        This browser does not let the page copy it by itself.
        <input readOnly value={link} onFocus={(event) => event.target.select()} />
      </label>
      <div className="dialog-actions">
        <Button kind="main" label="Done" onClick={onClose} />
      </div>
    </Dialog>
  );
}
