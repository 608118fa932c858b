/** What is made of the recordings that are added, and what that takes. */

import { useEffect } from "react";
import type { Profile, Strategy } from "../api/client";
import { useProfiles } from "../api/queries";
import { forbiddenModels, useReadiness } from "../api/readiness";
import { Button } from "../ui/button";
import { recall, remember } from "../ui/memory";
import { ModelOffer } from "./model-offer";
import { costOf, formatOf, listed, placeOf, spentOf } from "./profile-words";

const KEY = "stemset.upload.profile";

/** A profile's name, null where nothing can be made, undefined until that is known. */
export type Choice = string | null | undefined;

interface Props {
  chosen: Choice;
  onChoose: (profile: string | null) => void;
}

export function ProfileChoice({ chosen, onChoose }: Props) {
  const profiles = useProfiles();
  const { strategyOf, isAllowed, lackOf, isReady, obstacleOf, ...readiness } = useReadiness();
  const all = profiles.data;
  const standing = all?.find(({ name }) => name === (chosen ?? recall(KEY)));
  const current = standing ?? all?.find(isReady) ?? all?.[0];
  const usable = current && isReady(current) ? current.name : null;
  const isKnown = all ? readiness.isKnown : profiles.isError;
  const offered = all?.find((profile) => isAllowed(profile) && lackOf(profile).length > 0);

  useEffect(() => {
    if (isKnown && usable !== chosen) onChoose(usable);
  }, [isKnown, usable, chosen, onChoose]);

  if (profiles.isError)
    return (
      <div className="notice" data-kind="bad">
        <p>The service does not say what it can make: {profiles.error.message}</p>
        <Button icon="retry" label="Ask again" onClick={() => profiles.refetch()} />
      </div>
    );
  if (!all) return <p className="quiet">Asking what can be made…</p>;
  if (!current) return <p className="notice">No profile is set up, so nothing can be made.</p>;
  return (
    <div className="profile-choice">
      {all.length > 1 && (
        <label className="field">
          What to make
          <select
            value={current.name}
            onChange={({ target }) => {
              remember(KEY, target.value);
              onChoose(target.value);
            }}
          >
            {all.map((profile) => (
              <option key={profile.name} value={profile.name} disabled={!isReady(profile)}>
                {profile.name}: {listed(profile.stems)}
                {obstacleOf(profile)}
              </option>
            ))}
          </select>
        </label>
      )}
      <Described profile={current} strategy={strategyOf(current)} />
      {offered && <ModelOffer profile={offered} models={lackOf(offered)} />}
    </div>
  );
}

function Described({ profile, strategy }: { profile: Profile; strategy: Strategy | undefined }) {
  const forbidden = forbiddenModels(strategy);
  return (
    <>
      <p className="quiet">
        Makes {listed(profile.stems)}, as {formatOf(profile.output)}. {placeOf(profile)}{" "}
        {costOf(profile)} {spentOf(profile)}
      </p>
      {forbidden.length > 0 && (
        <p className="notice" data-kind="bad">
          Nothing can be made with this profile: whoever runs Stemset does not allow the licence of{" "}
          {listed(forbidden.map(({ name, licence }) => `${name} (${licence})`))}. Ask them to allow
          it, or to set up another profile.
        </p>
      )}
      {strategy && (
        <details>
          <summary>Models it uses</summary>
          <ul className="quiet">
            {strategy.models.map((model) => (
              <li key={model.name}>
                {model.name}: {model.description} ({model.licence})
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
