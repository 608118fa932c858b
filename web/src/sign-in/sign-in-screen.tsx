/** All that there is for whoever is not signed in. */

import { useEffect, useRef } from "react";
import { Icon } from "../ui/icon";
import { refusalOf } from "./refusals";
import { SIGN_IN_VIEW, signInPath, viewToReturnTo } from "./session";

interface Props {
  /** With whom people sign in. */
  provider: string;
  /** Whether there was something else to see before. */
  wasIn: boolean;
}

export default function SignInScreen({ provider, wasIn }: Props) {
  const refusal = location.pathname === SIGN_IN_VIEW ? refusalOf(location.search) : null;
  const next = viewToReturnTo(location);
  const heading = useRef<HTMLHeadingElement>(null);
  const isNews = wasIn || refusal !== null;
  useEffect(() => {
    if (isNews) heading.current?.focus();
  }, [isNews]);
  return (
    <section className="sign-in">
      <div className="card sign-in-card">
        <img src="/icon.svg" alt="" width="64" height="64" />
        <h1 ref={heading} tabIndex={-1}>
          {refusal?.title ?? (wasIn ? "You were signed out" : "Stemset")}
        </h1>
        <p className={isNews ? undefined : "quiet"}>
          {refusal?.words ??
            (wasIn
              ? "Sign in again to go on where you were."
              : "Takes your recordings apart into stems, to practise and to mix with.")}
        </p>
        {refusal?.asksForAnother ? (
          <a className="button" data-kind="main" href={signInPath(next, true)}>
            <Icon name="person" />
            Use another account
          </a>
        ) : (
          <a className="button" data-kind="main" href={signInPath(next)}>
            <Icon name="person" />
            Sign in with {provider}
          </a>
        )}
        {!isNews && (
          <p className="quiet sign-in-note">
            Whoever runs this Stemset keeps the list of who may sign in.
          </p>
        )}
      </div>
    </section>
  );
}
