/** Where a sign-in ends that had nowhere else to come back to. */

import { Link, Redirect } from "wouter";

export default function SignedIn() {
  if (!new URLSearchParams(location.search).has("done")) return <Redirect to="/" replace />;
  return (
    <section className="card sign-in-card">
      <h1>You are signed in</h1>
      <p>Close this tab, and go on in the one that you came from.</p>
      <p>
        <Link href="/">To the recordings</Link>
      </p>
    </section>
  );
}
