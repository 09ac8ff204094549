// Differences between our API server and the real one that kubectl shows and that stay, each with its reason.
// Owns the list; a difference that is not in it fails the tour.

export interface Accepted {
  /** For the published table. */
  readonly reason: string
  /** Whether a difference is this one. */
  readonly explains: (scene: string, command: string, ours: string, real: string) => boolean
}

/** Of an explanation what is fact: kind, version, fields with their types, required marks, enumerations. */
const facts = (text: string): string =>
  text
    .split("\n")
    .filter((line) => /^(KIND|VERSION|GROUP|RESOURCE|FIELD)|<[^>]*>|^\s*enum:|^error|^\[/.test(line))
    .filter((line) => !/<(no description|empty)>/.test(line))
    .join("\n")

export const accepted: ReadonlyArray<Accepted> = [
  {
    reason:
      "`kubectl explain` shows kinds, fields, types, required marks and enumerations alike, and no descriptions of built-in fields: that prose is Kubernetes' own and is not copied into this server. Custom resources show their authors' descriptions.",
    explains: (_scene, command, ours, real) => command.startsWith("kubectl explain") && facts(ours) === facts(real)
  }
]
