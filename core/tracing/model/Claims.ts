// Which request wrote which version of an object: by the answer's resourceVersion, else by the version that the request named, else by
// time. Owns the join and says by what it was made; refuses reads and failed or dry requests, which write nothing.
import type { AuditFact } from "./Fact.ts"
import { compareVersions, type Version } from "./Revisions.ts"

/** What the join needs to know of an audit: kept for every one of a trace, so it is small. */
export type Write = Pick<
  AuditFact,
  "id" | "uid" | "atUs" | "endUs" | "verb" | "resourceVersion" | "newResourceVersion" | "subresource"
>

export interface Claim {
  readonly version: Version
  readonly by: "resourceVersion" | "oldResourceVersion" | "time"
}

export interface Claims {
  /** The version that an audit (by id) wrote. */
  readonly written: ReadonlyMap<string, Claim>
  /** Audits (by id) that succeeded and changed nothing. */
  readonly noOps: ReadonlySet<string>
  /** Versions that no known request wrote, in order. */
  readonly unclaimed: ReadonlyArray<Version>
}

const writing = new Set(["create", "update", "patch", "delete"])
const SECOND_US = 1_000_000

/** Whether a request may have written a version. */
export const isWrite = ({ code, dryRun, stage, verb }: AuditFact): boolean =>
  writing.has(verb) &&
  code >= 200 &&
  code < 300 &&
  !dryRun &&
  (stage === "ResponseComplete" || stage === "ResponseStarted")

/** Joins writes and versions of one object. */
export const claimsOf = (writes: ReadonlyArray<Write>, versions: ReadonlyArray<Version>): Claims => {
  const written = new Map<string, Claim>()
  const noOps = new Set<string>()
  const claimed = new Set<Version>()
  const inOrder = writes.toSorted((a, b) => a.endUs - b.endUs || (a.id < b.id ? -1 : 1))
  const claim = (write: Write, version: Version, by: Claim["by"]): void => {
    claimed.add(version)
    written.set(write.id, { version, by })
  }
  const byNumber = grouped(versions, ({ fact }) => fact.resourceVersion)
  const producers = new Set<string>()
  for (const write of inOrder) {
    if (write.newResourceVersion === "") continue
    const same = byNumber.get(write.newResourceVersion)?.find(({ fact }) => fits(write, fact.uid))
    const key = `${write.uid} ${write.newResourceVersion}`
    if (write.newResourceVersion === write.resourceVersion || producers.has(key)) noOps.add(write.id)
    else if (same !== undefined && !claimed.has(same)) claim(write, same, "resourceVersion")
    // A delete that waits for finalizers answers a version that it wrote; one that is over answers the last one.
    producers.add(key)
  }
  const byOld = grouped(versions, ({ before }) => before?.fact.resourceVersion ?? "")
  for (const write of inOrder) {
    if (write.newResourceVersion !== "" || write.resourceVersion === "") continue
    const next = byOld.get(write.resourceVersion)?.find(({ fact }) => fits(write, fact.uid))
    if (next !== undefined && !claimed.has(next)) claim(write, next, "oldResourceVersion")
  }
  const open = versions.filter((version) => !claimed.has(version))
  for (const write of inOrder) {
    if (write.newResourceVersion !== "" || written.has(write.id)) continue
    const found = open.find(
      (version) => !claimed.has(version) && withinTime(write, version) && precedes(write, version)
    )
    if (found !== undefined) claim(write, found, "time")
  }
  return { written, noOps, unclaimed: versions.filter((version) => !claimed.has(version)) }
}

const fits = (write: Write, uid: string): boolean => write.uid === "" || uid === "" || write.uid === uid

/** Objects say whole seconds, rounded down. */
const withinTime = (write: Write, { fact, state }: Version): boolean =>
  fits(write, fact.uid) &&
  (write.verb === "create" && write.subresource === "") === (state === "created") &&
  (state !== "deleted" || write.verb === "delete") &&
  fact.atUs >= Math.floor(write.atUs / SECOND_US) * SECOND_US &&
  fact.atUs <= write.endUs

const precedes = (write: Write, { fact }: Version): boolean =>
  write.resourceVersion === "" || compareVersions(write.resourceVersion, fact.resourceVersion) < 0

const grouped = (versions: ReadonlyArray<Version>, keyOf: (version: Version) => string) => {
  const groups = new Map<string, Array<Version>>()
  for (const version of versions) {
    const key = keyOf(version)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [version])
    else group.push(version)
  }
  return groups
}
