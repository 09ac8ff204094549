// What members' loops have found since a federated object's status was last written, cluster by cluster.
// Owns this memory and the status that it makes together with the one that stands; refuses to write. Bound: one entry for each federated
// object and cluster of which there is news; removed when the status says it.
import type { Clockwork, Json, KubeObject } from "#kube"
import { sameJson } from "#kube"
import {
  type ClusterPropagation,
  type Condition,
  federatedSpecOf,
  type FederatedObjectStatus,
  federatedStatusOf,
  placedClusters
} from "../api/FederatedObject.ts"
import { formerClusters } from "../federate/Composition.ts"
import type { Notes } from "../federate/Notes.ts"

/** What there is to say of one cluster; "gone": nothing of the object is there any more. */
export interface Report {
  readonly entry: ClusterPropagation | "gone"
  /** Of the federated object that it speaks of. */
  readonly generation: number
}

/** All clusters that have, should have or may have the object. */
export const visitedClusters = (federated: KubeObject): ReadonlyArray<string> => {
  const inStatus = federatedStatusOf(federated).clusters ?? []
  const names = placedClusters(federatedSpecOf(federated))
  const former = formerClusters(federated)
  if (inStatus.length === 0 && former.length === 0) return names
  return [...new Set([...names, ...former, ...inStatus.map(({ cluster }) => cluster)])].sort()
}

export class Reports {
  readonly #reports = new Map<string, Map<string, Report>>()

  set(key: string, cluster: string, report: Report): void {
    let known = this.#reports.get(key)
    if (known === undefined) this.#reports.set(key, (known = new Map()))
    known.set(cluster, report)
  }

  get(key: string, cluster: string): Report | undefined {
    return this.#reports.get(key)?.get(cluster)
  }

  forget(key: string): void {
    this.#reports.delete(key)
  }

  get size(): number {
    return this.#reports.size
  }

  /** Removes what a status says by now. */
  settle(key: string, federated: KubeObject): void {
    const known = this.#reports.get(key)
    if (known === undefined) return
    const entries = new Map(federatedStatusOf(federated).clusters?.map((entry) => [entry.cluster, entry]))
    const placed = new Set(placedClusters(federatedSpecOf(federated)))
    const former = new Set(formerClusters(federated))
    for (const [cluster, { entry, generation }] of known) {
      if (generation < (federatedStatusOf(federated).syncedGeneration ?? 0)) known.delete(cluster)
      else if (entry === "gone") {
        if (!entries.has(cluster) && !placed.has(cluster) && !former.has(cluster)) known.delete(cluster)
      } else if (
        federatedStatusOf(federated).syncedGeneration === generation &&
        sameEntry(entries.get(cluster), entry)
      ) {
        known.delete(cluster)
      }
    }
    if (known.size === 0) this.#reports.delete(key)
  }

  /** Whether a cluster's copy is as it should be, or gone where it should be. */
  isDone(key: string, cluster: string, federated: KubeObject): boolean {
    const report = this.get(key, cluster)
    const { generation = 0 } = federated.metadata
    if (report !== undefined)
      return report.generation === generation && (report.entry === "gone" || report.entry.status === "OK")
    const { clusters, syncedGeneration } = federatedStatusOf(federated)
    return syncedGeneration === generation && clusters?.find((one) => one.cluster === cluster)?.status === "OK"
  }

  /** The status that is true now. */
  status(key: string, federated: KubeObject, notes: Notes, clockwork: Clockwork): FederatedObjectStatus {
    const before = federatedStatusOf(federated)
    const known = new Map(before.clusters?.map((entry) => [entry.cluster, entry]))
    const placed = new Set(placedClusters(federatedSpecOf(federated)))
    const clusters: Array<ClusterPropagation> = []
    let done = true
    for (const cluster of visitedClusters(federated)) {
      const report = this.get(key, cluster)
      // That it was gone before it was placed there again says nothing.
      const isOld =
        report?.entry === "gone" && placed.has(cluster) && report.generation !== federated.metadata.generation
      const entry = (isOld ? undefined : report?.entry) ?? known.get(cluster)
      if (!this.isDone(key, cluster, federated)) done = false
      if (entry === "gone") continue
      if (entry !== undefined) clusters.push(entry)
      else if (placed.has(cluster)) clusters.push({ cluster, status: "PendingCreate" })
      else clusters.push({ cluster, status: "WaitingForRemoval" })
    }
    const { generation = 0 } = federated.metadata
    if (clusters.length > 0 || before.conditions?.some(({ type }) => type === "Propagated") === true) {
      const failing = clusters.filter(({ status }) => status !== "OK").map(({ cluster }) => cluster)
      notes.note(key, {
        type: "Propagated",
        status: done ? "True" : "False",
        reason: done ? "" : "CheckClusters",
        message: failing.length === 0 ? "" : `not as it should be in ${named(failing)}`
      })
    }
    const conditions: ReadonlyArray<Condition> = notes.conditions(key, federated, clockwork)
    const syncedGeneration = done ? generation : before.syncedGeneration
    return {
      ...(syncedGeneration === undefined ? {} : { syncedGeneration }),
      ...(conditions.length === 0 ? {} : { conditions }),
      ...(clusters.length === 0 ? {} : { clusters })
    }
  }
}

const CLUSTERS_NAMED_MAX = 10

const named = (clusters: ReadonlyArray<string>): string =>
  clusters.length <= CLUSTERS_NAMED_MAX
    ? clusters.join(", ")
    : `${clusters.slice(0, CLUSTERS_NAMED_MAX).join(", ")} and ${clusters.length - CLUSTERS_NAMED_MAX} more`

const sameEntry = (a: ClusterPropagation | undefined, b: ClusterPropagation): boolean =>
  a !== undefined && sameJson(a as unknown as Json, b as unknown as Json)

/** Whether two statuses say the same. */
export const sameStatus = (a: FederatedObjectStatus, b: FederatedObjectStatus): boolean =>
  sameJson(a as unknown as Json, b as unknown as Json)
