/** The page: what is on top everywhere, and which view is below it. */

import { lazy, Suspense, useState } from "react";
import { Link, Route, Switch } from "wouter";
import { useEvents } from "./api/events";
import { useJobNews } from "./jobs/job-news";
import { JobsPanel } from "./jobs/jobs-panel";
import { Library } from "./library/library";
import { PhoneButton } from "./pair/phone-button";
import { AccountButton } from "./sign-in/account-button";
import { Gate } from "./sign-in/gate";
import { SIGN_IN_VIEW } from "./sign-in/session";
import { Button } from "./ui/button";
import { chooseTheme, currentTheme } from "./ui/theme";
import { Toasts } from "./ui/toasts";
import { UploadPanel } from "./upload/upload-panel";

const PairPage = lazy(() => import("./pair/pair-page"));
const PlayerPage = lazy(() => import("./player/player-page"));
const SignedIn = lazy(() => import("./sign-in/signed-in"));

export function App() {
  return (
    <>
      <header className="top">
        <Link href="/" className="brand">
          <img src="/icon.svg" alt="" width="32" height="32" />
          Stemset
        </Link>
        <div className="top-actions">
          <PhoneButton />
          <AccountButton />
          <ThemeSwitch />
        </div>
      </header>
      <main>
        <Switch>
          <Route path="/pair">
            <Suspense fallback={<p className="quiet">Opening…</p>}>
              <PairPage />
            </Suspense>
          </Route>
          <Route>
            <Gate>
              <Views />
            </Gate>
          </Route>
        </Switch>
      </main>
      <Toasts />
    </>
  );
}

/** What there is to see for whoever may call. */
function Views() {
  useEvents();
  useJobNews();
  return (
    <Switch>
      <Route path="/">
        <h1 className="visually-hidden">Recordings</h1>
        <UploadPanel />
        <JobsPanel />
        <Library />
      </Route>
      <Route path="/play/:outputId">
        {({ outputId }) => (
          <Suspense fallback={<p className="quiet">Opening…</p>}>
            <PlayerPage key={outputId} outputId={outputId} />
          </Suspense>
        )}
      </Route>
      <Route path={SIGN_IN_VIEW}>
        <Suspense fallback={<p className="quiet">Opening…</p>}>
          <SignedIn />
        </Suspense>
      </Route>
      <Route>
        <h1>There is nothing here</h1>
        <p>
          <Link href="/">To the recordings</Link>
        </p>
      </Route>
    </Switch>
  );
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(currentTheme);
  const other = theme === "dark" ? "light" : "dark";
  return (
    <Button
      kind="bare"
      icon={other === "dark" ? "moon" : "sun"}
      label={`Use the ${other} colours`}
      hidesLabel
      onClick={() => {
        chooseTheme(other);
        setTheme(other);
      }}
    />
  );
}
