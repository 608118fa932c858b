/** Asks before somebody is signed out or taken off the list. */

import { useEffect, useRef } from "react";
import type { Member } from "../api/client";
import { Button } from "../ui/button";
import { useMemberChange } from "./members";

interface Props {
  kind: "remove" | "sign out";
  member: Member;
  /** The address of who asks. */
  own: string;
  /** Called with what was done, null for nothing. */
  onDone: (words: string | null) => void;
}

export function MemberQuestion({ kind, member, own, onDone }: Props) {
  const change = useMemberChange();
  const cancel = useRef<HTMLButtonElement>(null);
  useEffect(() => cancel.current?.focus(), []);
  const { email } = member;
  const isRemoval = kind === "remove";
  const done = isRemoval ? `${email} may not sign in any more.` : `${email} was signed out.`;
  return (
    <>
      <div className="sign-in-words">
        <p>
          {isRemoval
            ? "They are signed out on all devices within seconds, and may not sign in any more. What they made stays."
            : "They are signed out on all devices within seconds. They may sign in again at any time."}
        </p>
        {email === own && <p className="notice">That is you: this page is signed out as well.</p>}
        {change.error && (
          <p className="notice" data-kind="bad" role="alert">
            {change.error.message}
          </p>
        )}
      </div>
      <div className="dialog-actions">
        <Button ref={cancel} label="Cancel" onClick={() => onDone(null)} />
        <Button
          kind="bad"
          label={isRemoval ? "Remove" : "Sign out"}
          disabled={change.isPending}
          onClick={() => change.mutate({ kind, email }, { onSuccess: () => onDone(done) })}
        />
      </div>
    </>
  );
}
