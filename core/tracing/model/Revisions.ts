// An object's versions in order, from snapshots of whatever source, and which incarnation a time belongs to.
// Owns the order (resourceVersion within an object), the choice between two snapshots of one version, and the incarnations; refuses to say
// who wrote a version, which Claims.ts does.
import type { SnapshotFact } from "./Fact.ts"

/** One version; `before` is the version of the same incarnation that it changed. */
export interface Version {
  readonly fact: SnapshotFact
  readonly state: SnapshotFact["state"]
  readonly before: Version | undefined
}

/** Versions oldest first, each (uid, resourceVersion) once. */
export const versionsOf = (facts: ReadonlyArray<SnapshotFact>): ReadonlyArray<Version> => {
  const chosen = new Map<string, { fact: SnapshotFact; state: SnapshotFact["state"] }>()
  for (const fact of facts) {
    const key = `${fact.uid} ${fact.resourceVersion}`
    const known = chosen.get(key)
    if (known === undefined) {
      chosen.set(key, { fact, state: fact.state })
      continue
    }
    if (better(fact, known.fact)) known.fact = fact
    if (weight(fact.state) > weight(known.state)) known.state = fact.state
  }
  const last = new Map<string, Version>()
  return Array.from(chosen.values())
    .sort((a, b) => byVersion(a.fact, b.fact))
    .map(({ fact, state }) => {
      const before = last.get(fact.uid)
      // Nothing but the first version begins an object, however like a beginning a later one looks by itself.
      const version = { fact, state: state === "created" && before !== undefined ? "seen" : state, before } as const
      last.set(fact.uid, version)
      return version
    })
}

const weight = (state: SnapshotFact["state"]): number => (state === "seen" ? 0 : state === "created" ? 1 : 2)

/** What says more wins, then the audit, which came with the request; the id decides the rest. */
const better = (a: SnapshotFact, b: SnapshotFact): boolean => {
  if (a.redacted !== b.redacted) return b.redacted
  if (a.source !== b.source) return a.source === "audit"
  return a.id < b.id
}

const decimal = /^[1-9]\d*$/

/** Resource versions of one object compare as numbers of any length. */
export const compareVersions = (a: string, b: string): number => {
  if (!decimal.test(a) || !decimal.test(b)) return 0
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
}

const byVersion = (a: SnapshotFact, b: SnapshotFact): number =>
  compareVersions(a.resourceVersion, b.resourceVersion) || a.atUs - b.atUs || (a.id < b.id ? -1 : 1)

/** One life of a name: its uid and the first time that anything said so. */
export interface Incarnation {
  readonly uid: string
  readonly fromUs: number
}

/** Incarnations by their first sign, oldest first. */
export const incarnationsOf = (
  signs: Iterable<{ readonly uid: string; readonly atUs: number }>
): ReadonlyArray<Incarnation> => {
  const first = new Map<string, number>()
  for (const { atUs, uid } of signs) {
    if (uid !== "" && atUs < (first.get(uid) ?? Number.POSITIVE_INFINITY)) first.set(uid, atUs)
  }
  return Array.from(first, ([uid, fromUs]) => ({ uid, fromUs })).sort(
    (a, b) => a.fromUs - b.fromUs || (a.uid < b.uid ? -1 : 1)
  )
}

/** The incarnation that something at a time belongs to: the last that began by then, else the first; empty without any. */
export const incarnationAt = (incarnations: ReadonlyArray<Incarnation>, atUs: number): string => {
  let found = incarnations[0]?.uid ?? ""
  for (const { fromUs, uid } of incarnations) if (fromUs <= atUs) found = uid
  return found
}
