// Which invariant is likely to find a planted mistake, so that it is asked first: finding takes a moment, not every property's runs.
// Owns guesses only; a wrong one costs time and changes no verdict, since all others are asked after it.

/** By invariant, the mistakes. What is not here is a dropped rule, which the second book finds. */
const guesses: Readonly<Record<string, string>> = {
  mark: "label-owner-free patches-verbatim",
  "round-trip": "mark-shown",
  "merge-patches": "selector-patched-in-part",
  "generate-name": "generate-name-unprefixed generate-name-kept-prefixed",
  "last-applied": "last-applied-raw",
  "managed-fields": "managed-fields-raw",
  aggregation: "role-labels-gather",
  nodes: "images-shown",
  volumes: "volumes-of-all",
  "no-leakage": "no-rule:api.core.v1.PodCondition.message",
  "no-double-prefix":
    "namespace-without-separator namespace-trim-never-fails namespace-prefixed-twice namespace-of-alias-free name-unprefixed-when-it-looks-prefixed group-trim-never-fails users-of-others-shown",
  separator: "namespace-owned-by-id-alone name-trim-never-fails",
  subjects: "groups-of-everyone-verbatim accounts-as-users",
  errors: "others-in-sentences every-prefix-in-text status-raw",
  watches: "bookmark-raw error-event-raw",
  pieces: "cursor-raw items-unfiltered",
  "field-selectors": "field-selector-verbatim",
  "label-selectors": "label-selector-verbatim",
  "unknown-fields": "numbers-parsed",
  lengths: "creation-unchecked"
}

/** The invariant to ask first about a mistake. */
export const likelyFinder = (mutant: string): string =>
  Object.entries(guesses).find(([, names]) => names.split(" ").includes(mutant))?.[0] ?? "no-effect-outside"
