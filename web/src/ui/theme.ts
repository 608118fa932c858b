/** Dark or light: as the system says, until somebody chooses. */

import { recall, remember } from "./memory";

export type Theme = "light" | "dark";

const KEY = "stemset.theme";

export function currentTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function chooseTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  remember(KEY, theme);
}

export function restoreTheme(): void {
  const kept = recall(KEY);
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
}
