/** Asks before a sign-out that has consequences: other devices, or files that are being sent. */

import { useState } from "react";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { hasOpenWork } from "../ui/open-work";
import { useSignOut } from "./session";

interface Props {
  everywhere: boolean;
  onClose: () => void;
}

export default function SignOutDialog({ everywhere, onClose }: Props) {
  const signOut = useSignOut();
  const [hasWork] = useState(hasOpenWork); // before this dialog counts as such
  const action = everywhere ? "Sign out on all devices" : "Sign out";
  return (
    <Dialog title={`${action}?`} onClose={onClose}>
      <div className="sign-in-words">
        {everywhere && (
          <p>Every browser where you are signed in is signed out within seconds, this one too.</p>
        )}
        {hasWork && (
          <p className="notice">
            Files are being sent from this page. That stops; what has arrived is kept, and once you
            have signed in again, you can choose them again to go on.
          </p>
        )}
        {signOut.error && (
          <p className="notice" data-kind="bad" role="alert">
            You are still signed in. {signOut.error.message}
          </p>
        )}
      </div>
      <div className="dialog-actions">
        <Button label="Cancel" onClick={onClose} />
        <Button
          kind="main"
          label={action}
          disabled={signOut.isPending || signOut.isSuccess}
          onClick={() => signOut.mutate(everywhere)}
        />
      </div>
    </Dialog>
  );
}
