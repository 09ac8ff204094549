// What an object's creation answers: its controlling owner's last change of generation before it, and the request that made that change.
// Owns the search and the confidence that is stated with it; refuses certainty: nothing in Kubernetes says why a controller acts.
import { claimsOf, isWrite } from "../model/Claims.ts"
import { attributesFrom } from "../model/Describe.ts"
import type { AuditFact, LinkFact, SnapshotFact } from "../model/Fact.ts"
import { objectId, traceIdOf } from "../model/Ids.ts"
import { versionsOf } from "../model/Revisions.ts"
import { Attribute, type SpanLink } from "../model/Span.ts"
import type { FactSource } from "./FactSource.ts"

/** How far back an owner's change is looked for. */
const LOOKBACK_US = 3_600_000_000
/** A controller that is well acts within this time. */
const PROMPT_US = 60_000_000

/** The request that a creation answers; undefined when none is known. `owner` is the created object's own link to its owner. */
export const causeOf = (source: FactSource, creation: AuditFact, owner: LinkFact): SpanLink | undefined => {
  const id = objectId(owner.other, source.windowSeconds)
  const range = { fromUs: creation.atUs - LOOKBACK_US, toUs: creation.atUs + 1 }
  const refs = source.ofObject(id, ["audit", "snapshot"], range)
  const facts = refs.map((ref) => ref.load())
  const audits = facts.filter((fact): fact is AuditFact => fact.kind === "audit")
  const snapshots = facts.filter((fact): fact is SnapshotFact => fact.kind === "snapshot" && fits(fact, owner))
  const changes = versionsOf(snapshots).filter(
    ({ before, fact, state }) =>
      state === "created" || (before !== undefined && fact.generation > before.fact.generation)
  )
  const { written } = claimsOf(audits.filter(isWrite), versionsOf(snapshots))
  const change = changes.at(-1)
  if (change === undefined) return undefined
  const audit = audits.find(({ id: write }) => written.get(write)?.version.fact.id === change.fact.id)
  if (audit === undefined) return undefined
  return {
    traceId: traceIdOf(owner.other, audit.atUs, source.windowSeconds),
    spanId: audit.id,
    attributes: attributesFrom([
      [Attribute.cause, `${owner.other.resource}/${owner.other.name} generation ${change.fact.generation}`],
      [Attribute.confidence, confidence(creation, audit, owner)]
    ])
  }
}

const fits = ({ uid }: SnapshotFact, { otherUid }: LinkFact): boolean => otherUid === "" || uid === otherUid

const confidence = (creation: AuditFact, change: AuditFact, { other }: LinkFact): string => {
  if (creation.atUs - change.endUs > PROMPT_US) return "low"
  const controller = `${other.resource.replace(/s$/, "")}-controller`
  return creation.username.endsWith(`:${controller}`) ? "high" : "medium"
}
