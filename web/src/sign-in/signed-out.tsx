/** Covers views that hold what would be lost, until somebody has signed in again. */

import { useEffect, useId, useRef } from "react";
import { Icon } from "../ui/icon";
import { SIGNED_IN_VIEW, signInPath, useSession, viewToReturnTo } from "./session";

export default function SignedOut({ provider }: { provider: string }) {
  const shown = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useSession(true);
  useEffect(() => {
    const dialog = shown.current;
    dialog?.showModal(); // above every dialog that is open
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={shown}
      className="signed-out"
      aria-labelledby={titleId}
      onCancel={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        // A browser may close it on a second Escape, whoever objects.
        if (event.key === "Escape") event.preventDefault();
      }}
    >
      <div className="sign-in-card">
        <img src="/icon.svg" alt="" width="64" height="64" />
        <h1 id={titleId}>You were signed out</h1>
        <p>
          What you had begun is kept here, and goes on once you have signed in. That opens a tab of
          its own: close it then, and come back to this one.
        </p>
        <a
          className="button"
          data-kind="main"
          href={signInPath(SIGNED_IN_VIEW)}
          target="_blank"
          rel="noopener"
        >
          <Icon name="person" />
          Sign in with {provider}
        </a>
        <a href={signInPath(viewToReturnTo(location))}>Leave it, and sign in here</a>
      </div>
    </dialog>
  );
}
