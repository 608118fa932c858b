/** What stands where no recordings are, and what to do about it. */

import { useProfiles } from "../api/queries";
import { Button } from "../ui/button";
import { Icon } from "../ui/icon";
import { quoted } from "./words";

/** Nobody has brought a recording yet. */
export function NothingYet() {
  return (
    <div className="nothing">
      <Icon name="note" />
      <h3>No recordings yet</h3>
      <p>
        Choose a recording above, or drop it on this page. Once it is separated into its stems, it
        stands here: to play, with each instrument louder, softer or gone, and to download.
      </p>
      <WhereItIsMade />
    </div>
  );
}

/** Who gets to hear it. */
function WhereItIsMade() {
  const { data: profiles } = useProfiles();
  if (profiles === undefined || profiles.length === 0) return null;
  const remote = profiles.filter((each) => each.remote).map((each) => each.name);
  if (remote.length === 0) {
    return (
      <p className="quiet">
        Recordings are separated on the machine that Stemset runs on; no worker elsewhere hears
        them.
      </p>
    );
  }
  const [profile, verb] = remote.length === 1 ? ["Profile", "sends"] : ["Profiles", "send"];
  const others = remote.length < profiles.length;
  return (
    <p className="quiet">
      {profile} {remote.join(", ")} {verb} a recording to your worker to be separated
      {others ? "; with the others that is done on the machine that Stemset runs on." : "."}
    </p>
  );
}

/** The search lets none through. */
export function NothingFound({ search, onShowAll }: { search: string; onShowAll: () => void }) {
  return (
    <div className="nothing">
      <Icon name="search" />
      <h3>Nothing found for {quoted(search)}</h3>
      <p>The names of recordings and of their files are searched.</p>
      <Button label="Show all recordings" onClick={onShowAll} />
    </div>
  );
}

interface OutOfReachProps {
  reason: string;
  isTrying: boolean;
  onRetry: () => void;
}

/** The service does not answer, or refuses. */
export function OutOfReach({ reason, isTrying, onRetry }: OutOfReachProps) {
  return (
    <div className="notice" data-kind="bad" role="alert">
      <p>
        The recordings could not be looked up. {reason} If this stays so, look whether{" "}
        <code>stemset serve</code> still runs.
      </p>
      <Button
        icon="retry"
        label={isTrying ? "Trying…" : "Try again"}
        disabled={isTrying}
        onClick={onRetry}
      />
    </div>
  );
}
