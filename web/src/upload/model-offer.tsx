/** What a profile lacks on the service's machine, and a button that installs it. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answered, api, type Model, type Profile } from "../api/client";
import { isInstalling, keys, readAnew } from "../api/queries";
import { Button } from "../ui/button";
import { partDone, priceOf, qualityOf, stepOf } from "./model-words";
import { listed } from "./profile-words";

interface Props {
  profile: Profile;
  models: readonly Model[];
}

export function ModelOffer({ profile, models }: Props) {
  return (
    <section className="notice model-offer" aria-label={`Install ${profile.name}`}>
      <p>
        <strong>{profile.name}</strong> makes {listed(profile.stems)}. It needs{" "}
        {models.length > 1 ? "models that are" : "a model that is"} not here yet.
      </p>
      {models.map((model) => (
        <Offered key={model.name} model={model} />
      ))}
    </section>
  );
}

function Offered({ model }: { model: Model }) {
  const { name, description, terms, is_installed, missing_libraries, may_install, install } = model;
  const quality = qualityOf(model);
  return (
    <>
      <p>
        {name}: {description} {quality && `${quality}. `}
        {priceOf(model)}.
      </p>
      <details>
        <summary>On what terms</summary>
        <p className="quiet">{terms}</p>
      </details>
      {missing_libraries.length > 0 && (
        <p>
          Stemset lacks {listed(missing_libraries)} for it. Where it runs, type{" "}
          <code>pip install 'stemset[torch,openvino]'</code>, and start it again.
        </p>
      )}
      {isInstalling(model) && install && <Running name={name} install={install} />}
      {!is_installed && install?.error && (
        <p role="alert">
          {name} could not be installed: {install.error.detail}
        </p>
      )}
      {!is_installed && !isInstalling(model) && may_install && <InstallButton model={model} />}
      {!is_installed && !may_install && (
        <p className="quiet">Whoever runs Stemset can install it: stemset models install {name}</p>
      )}
    </>
  );
}

function Running({ name, install }: { name: string; install: NonNullable<Model["install"]> }) {
  return (
    <div>
      <progress aria-label={`Installing ${name}`} max={1} value={partDone(install) ?? undefined} />
      <p className="numeric">{stepOf(install)}</p>
    </div>
  );
}

function InstallButton({ model: { name, install } }: { model: Model }) {
  const client = useQueryClient();
  const order = useMutation({
    mutationFn: () =>
      answered(api.POST("/api/models/{name}/install", { params: { path: { name } } })),
    onSettled: () => readAnew(client, keys.models),
  });
  return (
    <div>
      <Button
        icon={install?.error ? "retry" : "download"}
        label={install?.error ? `Try to install ${name} again` : `Install ${name}`}
        disabled={order.isPending}
        onClick={() => order.mutate()}
      />
      {order.error && <p role="alert">{order.error.message}</p>}
    </div>
  );
}
