/** The account, at the top of the page: who is signed in, and what there is to do about it. */

import { lazy, Suspense, useRef, useState } from "react";
import type { SignedIn } from "../api/client";
import { hasOpenWork } from "../ui/open-work";
import { Choice, Popover } from "../ui/popover";
import { toast } from "../ui/toasts";
import { roleWords, useSession, useSignOut } from "./session";
import "./sign-in.css";

const SignOutDialog = lazy(() => import("./sign-out-dialog"));
const MembersDialog = lazy(() => import("./members-dialog"));
const ActivityDialog = lazy(() => import("./activity-dialog"));

type Opened = "members" | "activity" | "leave" | "leave everywhere";

export function AccountButton() {
  const { data } = useSession();
  const [opened, open] = useState<Opened | null>(null);
  const last = useRef<SignedIn | null>(null);
  last.current = data?.member ?? last.current;
  // What is open stays when the session ends: it may hold what somebody has typed.
  const member = opened === null ? data?.member : last.current;
  return member ? <Account member={member} opened={opened} open={open} /> : null;
}

interface Props {
  member: SignedIn;
  opened: Opened | null;
  open: (dialog: Opened | null) => void;
}

function Account({ member, opened, open }: Props) {
  const signOut = useSignOut();
  const close = () => open(null);
  const leave = () => {
    if (hasOpenWork()) open("leave");
    else
      signOut.mutate(false, {
        onError: ({ message }) => toast(`You are still signed in. ${message}`, { kind: "bad" }),
      });
  };
  return (
    <>
      <Popover icon="person" label={`Account ${member.email}`} hidesLabel>
        {() => (
          <>
            <div className="account">
              {member.name !== null && <strong>{member.name}</strong>}
              <span>{member.email}</span>
              <span className="quiet">{roleWords(member)}</span>
            </div>
            {member.role === "admin" && (
              <>
                <Choice icon="people" label="Members…" onClick={() => open("members")} />
                <Choice icon="record" label="Activity…" onClick={() => open("activity")} />
              </>
            )}
            <Choice icon="leave" label="Sign out" onClick={leave} />
            <Choice
              icon="devices"
              label="Sign out on all devices…"
              onClick={() => open("leave everywhere")}
            />
          </>
        )}
      </Popover>
      <Suspense>
        {opened === "members" && <MembersDialog own={member.email} onClose={close} />}
        {opened === "activity" && <ActivityDialog onClose={close} />}
        {opened === "leave" && <SignOutDialog everywhere={false} onClose={close} />}
        {opened === "leave everywhere" && <SignOutDialog everywhere onClose={close} />}
      </Suspense>
    </>
  );
}
