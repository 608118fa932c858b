import type { Model } from "./client";

/** A model that is not here. */
export function model(facts: Partial<Model>): Model {
  return {
    name: "htdemucs",
    description: "Good all round.",
    slots: ["drums", "bass", "other", "vocals"],
    licence: "NONE",
    terms: "Published without terms.",
    is_allowed: true,
    size_bytes: 84_023_856,
    scores: [],
    is_installed: false,
    missing_libraries: [],
    may_install: true,
    install: null,
    ...facts,
  };
}
