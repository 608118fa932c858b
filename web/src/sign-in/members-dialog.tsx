/** Who may sign in: for admins, who may change it. */

import { useEffect, useRef, useState } from "react";
import type { Member } from "../api/client";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Choice, Popover } from "../ui/popover";
import { MemberForm } from "./member-form";
import { MemberQuestion } from "./member-question";
import { signInWords, useMembers } from "./members";
import { roleWords } from "./session";

type View =
  | { readonly kind: "list" }
  | { readonly kind: "form"; readonly member: Member | null }
  | { readonly kind: "remove" | "sign out"; readonly member: Member };

interface Props {
  /** The address of who looks. */
  own: string;
  onClose: () => void;
}

export default function MembersDialog({ own, onClose }: Props) {
  const [view, setView] = useState<View>({ kind: "list" });
  const [done, setDone] = useState<string | null>(null);
  const { data: members, error, refetch } = useMembers();
  const back = (words: string | null) => {
    setDone(words);
    setView({ kind: "list" });
  };
  return (
    <Dialog title={titleOf(view)} onClose={onClose}>
      <div className="sign-in-words">
        {error && !members && (
          <div className="notice" data-kind="bad" role="alert">
            <p>The members cannot be listed. {error.message}</p>
            <Button icon="retry" label="Try again" onClick={() => void refetch()} />
          </div>
        )}
        {!error && !members && <p className="quiet">Looking the members up…</p>}
      </div>
      {members && view.kind === "list" && (
        <List members={members} own={own} done={done} onView={setView} onClose={onClose} />
      )}
      {members && view.kind === "form" && (
        <MemberForm member={view.member} members={members} own={own} onDone={back} />
      )}
      {(view.kind === "remove" || view.kind === "sign out") && (
        <MemberQuestion kind={view.kind} member={view.member} own={own} onDone={back} />
      )}
      {!members && (
        <div className="dialog-actions">
          <Button label="Close" onClick={onClose} />
        </div>
      )}
    </Dialog>
  );
}

function titleOf(view: View): string {
  switch (view.kind) {
    case "list":
      return "Members";
    case "form":
      return view.member ? `What ${view.member.email} may do` : "Add a member";
    case "remove":
      return `Remove ${view.member.email}?`;
    case "sign out":
      return `Sign ${view.member.email} out?`;
  }
}

interface ListProps extends Props {
  members: readonly Member[];
  /** What was changed last, in words. */
  done: string | null;
  onView: (view: View) => void;
}

function List({ members, own, done, onView, onClose }: ListProps) {
  const add = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (done !== null) add.current?.focus(); // what had the focus is gone
  }, [done]);
  return (
    <>
      <p className="quiet" role="status">
        {done ?? "Only these addresses may sign in."}
      </p>
      <ul className="members">
        {members.map((member) => (
          <Row key={member.id} member={member} isOwn={member.email === own} onView={onView} />
        ))}
      </ul>
      <div className="dialog-actions">
        <Button
          ref={add}
          kind="main"
          label="Add a member"
          onClick={() => onView({ kind: "form", member: null })}
        />
        <Button label="Close" onClick={onClose} />
      </div>
    </>
  );
}

interface RowProps {
  member: Member;
  isOwn: boolean;
  onView: (view: View) => void;
}

function Row({ member, isOwn, onView }: RowProps) {
  const { email, name, from_config: isFixed, sessions } = member;
  return (
    <li className="member">
      <div className="member-facts">
        <strong>{email}</strong>
        <span className="quiet">{[name, isOwn ? "you" : null].filter(Boolean).join(", ")}</span>
        <span>
          {roleWords(member)}
          {isFixed && ", by the service's configuration"}
        </span>
        <span className="quiet">{signInWords(member)}</span>
      </div>
      {(!isFixed || sessions > 0) && (
        <Popover icon="more" label={`More for ${email}`} hidesLabel>
          {() => (
            <>
              {!isFixed && (
                <Choice
                  icon="edit"
                  label="Change what they may do…"
                  onClick={() => onView({ kind: "form", member })}
                />
              )}
              {sessions > 0 && (
                <Choice
                  icon="leave"
                  label="Sign out on all devices…"
                  onClick={() => onView({ kind: "sign out", member })}
                />
              )}
              {!isFixed && (
                <Choice
                  icon="trash"
                  label="Remove…"
                  isBad
                  onClick={() => onView({ kind: "remove", member })}
                />
              )}
            </>
          )}
        </Popover>
      )}
    </li>
  );
}
