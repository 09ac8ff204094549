// What makes an object worth another attempt: a snapshot of hashes, as long for a thousand clusters as for one.
// Owns what counts as a change, KubeAdmiral's rules: the object itself always, the policy and clusters as the policy says, taints always;
// a cluster that is new counts only where the policy says so. Refuses time: attempts say themselves when to wake.
import { sameJson, type Json } from "#kube"
import type { MemberCluster } from "../api/FederatedCluster.ts"
import { controlAnnotations, federationAnnotations, schedulingAnnotations } from "../api/FederationNames.ts"
import { textDigest, textHash } from "../planner/StableHash.ts"
import type { Fleet } from "./Fleet.ts"
import type { PolicyChoice } from "./Outcome.ts"
import { annotationJson, type SchedulingUnit } from "./SchedulingUnit.ts"

/** What the last attempt saw; the annotation's value is its JSON. */
export interface Snapshot {
  readonly object: string
  /** Kind, name and identity: another policy of the same name is another policy. */
  readonly policy: string
  readonly content: string
  /** The clusters that had joined: until when, in milliseconds. Later ones are new. */
  readonly asOfMs: number
  readonly joined: string
  readonly labels: string
  readonly taints: string
  readonly types: string
}

/** Why another attempt is made. */
export type Trigger =
  | "first"
  | "object"
  | "policy"
  | "policyContent"
  | "clusterGone"
  | "clusterJoined"
  | "clusterLabels"
  | "clusterTaints"
  | "clusterTypes"

/** Whether it is the clusters that changed, and nothing that anybody wants of the object. */
export const isOfClusters = (trigger: Trigger): boolean => trigger.startsWith("cluster")

/** What an attempt would see now, and what changed since the last. */
export interface Triggered {
  readonly snapshot: Snapshot
  /** Those that make an attempt worthwhile. */
  readonly reasons: ReadonlyArray<Trigger>
  /** Those that the policy puts off until there is another reason. */
  readonly deferred: ReadonlyArray<Trigger>
}

const STEERING = [
  ...Object.values(schedulingAnnotations),
  controlAnnotations.noScheduling,
  federationAnnotations.appliedMigrationConfiguration,
  federationAnnotations.rescheduleRequested
]

const objectDigest = (unit: SchedulingUnit, migrates: boolean): string => {
  const parts = STEERING.map((name) => unit.annotations[name] ?? "")
  const request = Array.from(unit.request, ([name, amount]) => `${name}=${amount}`).sort()
  const learned = migrates ? (unit.annotations[federationAnnotations.autoMigrationInfo] ?? "") : ""
  return textDigest(JSON.stringify([parts, unit.replicas ?? null, request, learned]))
}

/** JSON in which the order of fields does not matter. */
export const sortedJson = (value: Json | undefined): string =>
  JSON.stringify(value, (_, one: Json) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one
  ) ?? ""

const contents = new WeakMap<object, string>()

/** A policy's content, without what says only how attempts are made of it. */
const contentOf = (policy: PolicyChoice): string => {
  if (typeof policy === "string") return policy
  const known = contents.get(policy)
  if (known !== undefined) return known
  const { autoMigration: _migration, priority: _priority, resourceSelectors: _selectors, ...content } = policy.spec
  const digest = textDigest(sortedJson(content))
  contents.set(policy, digest)
  return digest
}

const policyIdentity = (policy: PolicyChoice): string =>
  typeof policy === "string" ? policy : textDigest(`${policy.kind}/${policy.namespace}/${policy.name}/${policy.uid}`)

type Aspect = "joined" | "labels" | "taints" | "types"

const aspectText: Readonly<Record<Aspect, (cluster: MemberCluster) => string>> = {
  joined: ({ name, uid }) => `${name}/${uid}`,
  labels: ({ labels }) => sortedJson(labels),
  taints: ({ taints }) => JSON.stringify(taints.map(({ effect, key, value }) => `${key}=${value}:${effect}`).sort()),
  types: ({ types }) => (types === undefined ? "?" : JSON.stringify(Array.from(types).sort()))
}

/** Sums over the clusters in the order in which they joined: the sum over those that had joined by any time is one of them. */
class JoinOrder {
  readonly #times: ReadonlyArray<number>
  readonly #sums: Readonly<Record<Aspect, ReadonlyArray<string>>>

  constructor(fleet: Fleet) {
    const ordered = fleet.clusters.toSorted((a, b) => a.joinedMs - b.joinedMs || (a.name < b.name ? -1 : 1))
    this.#times = ordered.map(({ joinedMs }) => joinedMs)
    const sums = (aspect: Aspect): ReadonlyArray<string> => {
      let low = 0
      let high = 0
      return ["", ...ordered].map((cluster) => {
        if (typeof cluster !== "string") {
          const text = `${cluster.name} ${aspectText[aspect](cluster)}`
          low = (low + textHash(text)) | 0
          high = (high + textHash(text, 0x9747b28c)) | 0
        }
        return `${(low >>> 0).toString(16)}.${(high >>> 0).toString(16)}`
      })
    }
    this.#sums = { joined: sums("joined"), labels: sums("labels"), taints: sums("taints"), types: sums("types") }
  }

  get lastMs(): number {
    return this.#times.at(-1) ?? 0
  }

  /** All aspects of those that had joined by then. */
  upTo(ms: number): Pick<Snapshot, Aspect> {
    let low = 0
    let high = this.#times.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#times[middle] <= ms) low = middle + 1
      else high = middle
    }
    const { joined, labels, taints, types } = this.#sums
    return { joined: joined[low], labels: labels[low], taints: taints[low], types: types[low] }
  }
}

const JOIN_ORDER = Symbol("join order")

const joinOrder = (fleet: Fleet): JoinOrder => fleet.remember(JOIN_ORDER, "", () => new JoinOrder(fleet))

/** What an attempt sees. */
export interface TriggerRequest {
  readonly unit: SchedulingUnit
  readonly fleet: Fleet
  readonly policy: PolicyChoice
  /** undefined: there was no attempt. */
  readonly last: Snapshot | undefined
}

/** The snapshot of an annotation; undefined when there is none that can be read. */
export const snapshotOf = (annotations: Readonly<Record<string, string>>): Snapshot | undefined => {
  const found = annotationJson(annotations, federationAnnotations.schedulingTriggers)
  if (found === undefined || Array.isArray(found)) return undefined
  // SAFETY: fields that another version wrote otherwise compare as different.
  const snapshot = found as unknown as Partial<Snapshot>
  return typeof snapshot.asOfMs === "number" && typeof snapshot.object === "string" ? (snapshot as Snapshot) : undefined
}

const changesOf = ({ fleet, last }: TriggerRequest, snapshot: Snapshot): ReadonlyArray<Trigger> => {
  if (last === undefined) return ["first"]
  const then = joinOrder(fleet).upTo(last.asOfMs)
  const changed: ReadonlyArray<readonly [Trigger, boolean]> = [
    ["object", last.object !== snapshot.object],
    ["policy", last.policy !== snapshot.policy],
    ["policyContent", last.content !== snapshot.content],
    ["clusterGone", last.joined !== then.joined],
    ["clusterJoined", snapshot.asOfMs > last.asOfMs],
    ["clusterLabels", last.labels !== then.labels],
    ["clusterTaints", last.taints !== then.taints],
    ["clusterTypes", last.types !== then.types]
  ]
  return changed.flatMap(([trigger, is]) => (is ? [trigger] : []))
}

/** Whether a change is reason enough by itself. */
const counts = (trigger: Trigger, policy: PolicyChoice): boolean => {
  if (typeof policy === "string") return true
  const { reschedule, sticky } = policy
  if (trigger === "first" || trigger === "object" || trigger === "policy") return true
  if (sticky) return false
  if (trigger === "policyContent") return reschedule.policyContentChanged
  if (trigger === "clusterJoined") return reschedule.clusterJoined
  if (trigger === "clusterLabels") return reschedule.clusterLabelsChanged
  if (trigger === "clusterTypes") return reschedule.clusterApiResourcesChanged
  return true
}

/** What changed since the last attempt. With nothing to do, the last snapshot is to be kept: what was put off is still seen later. */
export const triggered = (request: TriggerRequest): Triggered => {
  const { fleet, last, policy, unit } = request
  const order = joinOrder(fleet)
  const migrates = typeof policy !== "string" && policy.autoMigration !== undefined
  const fresh: Snapshot = {
    object: objectDigest(unit, migrates),
    policy: policyIdentity(policy),
    content: contentOf(policy),
    asOfMs: order.lastMs,
    ...order.upTo(order.lastMs)
  }
  const changes = changesOf(request, fresh)
  const reasons = changes.filter((trigger) => counts(trigger, policy))
  const deferred = changes.filter((trigger) => !counts(trigger, policy))
  return { snapshot: reasons.length === 0 && last !== undefined ? last : fresh, reasons, deferred }
}

/** Whether two snapshots say the same. */
export const sameSnapshot = (a: Snapshot, b: Snapshot): boolean => sameJson(a as unknown as Json, b as unknown as Json)
