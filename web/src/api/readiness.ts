/** Which profiles can be used, and what stands in the way of the others. */

import type { Model, Profile, Strategy } from "./client";
import { useModels, useStrategies } from "./queries";

/** Models whose licence is not allowed here. */
export function forbiddenModels(strategy: Strategy | undefined): Strategy["models"] {
  return strategy?.models.filter((model) => !model.is_allowed) ?? [];
}

/** The models that a profile needs and the service's machine cannot use; a worker has its own. */
export function lacking(
  { remote }: Profile,
  strategy: Strategy | undefined,
  models: readonly Model[] | undefined,
): Model[] {
  if (remote || !strategy || !models) return [];
  const names = strategy.models.map(({ name }) => name);
  return models.filter((model) => names.includes(model.name) && !canRun(model));
}

function canRun({ is_installed, missing_libraries }: Model): boolean {
  return is_installed && missing_libraries.length === 0;
}

/** How profiles stand, as far as the service has said it yet. */
export function useReadiness() {
  const { data: strategies, isPending: waitsForStrategies } = useStrategies();
  const { data: models, isPending: waitsForModels } = useModels();
  const isKnown = !waitsForStrategies && !waitsForModels;
  const strategyOf = (profile: Profile) =>
    strategies?.find(({ name }) => name === profile.strategy);
  const isAllowed = (profile: Profile) => forbiddenModels(strategyOf(profile)).length === 0;
  const lackOf = (profile: Profile) => lacking(profile, strategyOf(profile), models);
  const isReady = (profile: Profile) => isAllowed(profile) && lackOf(profile).length === 0;
  /** What is said beside a profile that cannot be used: ` (not installed)`. */
  const obstacleOf = (profile: Profile) => {
    if (!isAllowed(profile)) return " (not allowed)";
    return isReady(profile) ? "" : " (not installed)";
  };
  return { isKnown, strategyOf, isAllowed, lackOf, isReady, obstacleOf };
}
