/** Adding a member, or changing what one may do. */

import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import type { Member, Role } from "../api/client";
import { useProfiles } from "../api/queries";
import { Button } from "../ui/button";
import { emailProblem, useMemberChange } from "./members";

interface Props {
  /** Who is changed, null to add somebody. */
  member: Member | null;
  members: readonly Member[];
  /** The address of who changes it. */
  own: string;
  /** Called with what was done, null for nothing. */
  onDone: (words: string | null) => void;
}

const ROLES: readonly (readonly [Role, string])[] = [
  ["member", "Member: uploads, listens, deletes"],
  ["admin", "Admin: members, activity and models as well"],
];

export function MemberForm({ member, members, own, onDone }: Props) {
  const [typed, setTyped] = useState("");
  const [role, setRole] = useState<Role>(member?.role ?? "member");
  const [limit, setLimit] = useState<string[] | null>(member?.profiles ?? null);
  const [isSent, setSent] = useState(false);
  const change = useMemberChange();
  const roleId = useId();
  const first = useRef<HTMLInputElement & HTMLSelectElement>(null);
  useEffect(() => first.current?.focus(), []);

  const typedProblem = member ? null : emailProblem(typed, members);
  const limits = role === "member" ? limit : null;
  const isEmpty = limits?.length === 0;
  function submit(event: FormEvent) {
    event.preventDefault();
    setSent(true);
    if (typedProblem !== null || isEmpty) return;
    const email = member?.email ?? typed.trim();
    const done = member ? `${email} was changed.` : `${email} may sign in from now on.`;
    change.mutate(
      { kind: "put", email, role, profiles: limits },
      { onSuccess: () => onDone(done) },
    );
  }
  return (
    <form className="member-form" onSubmit={submit} noValidate>
      {!member && (
        <EmailField
          field={first}
          value={typed}
          problem={isSent ? typedProblem : null}
          onChange={setTyped}
        />
      )}
      <div className="field">
        <label htmlFor={roleId}>May do what</label>
        <select
          ref={member ? first : undefined}
          id={roleId}
          value={role}
          onChange={({ target }) => setRole(target.value === "admin" ? "admin" : "member")}
        >
          {ROLES.map(([each, about]) => (
            <option key={each} value={each}>
              {about}
            </option>
          ))}
        </select>
      </div>
      {role === "member" && <Limit chosen={limit} onChoose={setLimit} />}
      {isSent && isEmpty && (
        <p className="notice" data-kind="bad" role="alert">
          Choose at least one profile.
        </p>
      )}
      {member?.email === own && role === "member" && (
        <p className="notice">That is you: you could not change members any more.</p>
      )}
      {change.error && (
        <p className="notice" data-kind="bad" role="alert">
          {change.error.message}
        </p>
      )}
      <div className="dialog-actions">
        <Button label="Cancel" onClick={() => onDone(null)} />
        <Button
          kind="main"
          type="submit"
          label={member ? "Change" : "Add"}
          disabled={change.isPending}
        />
      </div>
    </form>
  );
}

interface EmailProps {
  field: React.Ref<HTMLInputElement>;
  value: string;
  problem: string | null;
  onChange: (value: string) => void;
}

function EmailField({ field, value, problem, onChange }: EmailProps) {
  const fieldId = useId();
  const problemId = useId();
  return (
    <div className="field">
      <label htmlFor={fieldId}>E-mail address</label>
      <input
        ref={field}
        id={fieldId}
        type="email"
        value={value}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        aria-invalid={problem !== null}
        aria-describedby={problemId}
        onChange={(event) => onChange(event.target.value)}
      />
      <p id={problemId} className="quiet" role={problem ? "alert" : undefined}>
        {problem ?? "The one that their account has with the provider."}
      </p>
    </div>
  );
}

interface LimitProps {
  /** Null for all. */
  chosen: string[] | null;
  onChoose: (chosen: string[] | null) => void;
}

function Limit({ chosen, onChoose }: LimitProps) {
  const { data: profiles = [] } = useProfiles();
  const names = profiles.map(({ name }) => name);
  if (names.length < 2 && chosen === null) return null; // there is nothing to choose
  const offered = [...new Set([...names, ...(chosen ?? [])])];
  return (
    <fieldset className="member-limit">
      <legend>Sees what</legend>
      <label className="member-choice">
        <input
          type="radio"
          name="limit"
          checked={chosen === null}
          onChange={() => onChoose(null)}
        />
        All profiles
      </label>
      <label className="member-choice">
        <input type="radio" name="limit" checked={chosen !== null} onChange={() => onChoose([])} />
        These profiles alone
      </label>
      {chosen !== null && (
        <div className="member-profiles">
          {offered.map((name) => (
            <label key={name} className="member-choice">
              <input
                type="checkbox"
                checked={chosen.includes(name)}
                onChange={({ target }) =>
                  onChoose(
                    target.checked
                      ? offered.filter((each) => each === name || chosen.includes(each))
                      : chosen.filter((each) => each !== name),
                  )
                }
              />
              {name}
            </label>
          ))}
        </div>
      )}
    </fieldset>
  );
}
