// A member cluster as scheduling sees it, read from its FederatedCluster.
// Owns reading: conditions, taints, room, types; refuses to judge whether the cluster will do.
import { parseRfc3339, type KubeObject, type Labels, milliQuantity, Quantity, quantityOf } from "#kube"
import { type Fields, fieldsOf, itemsOf, textOf } from "#apiserver"
import { type ClusterTaint, taintsOf } from "./Taints.ts"

/** Amounts by resource: CPU in thousandths, all else in whole units. */
export type Amounts = ReadonlyMap<string, number>

/** A member cluster. */
export interface MemberCluster {
  readonly name: string
  readonly uid: string
  readonly labels: Labels
  readonly taints: ReadonlyArray<ClusterTaint>
  readonly joined: boolean
  /** When it joined, in milliseconds; 0: not yet. */
  readonly joinedMs: number
  readonly ready: boolean
  readonly terminating: boolean
  /** Like "apps/v1/Deployment", "v1/Service"; undefined when its types are not known yet. */
  readonly types: ReadonlySet<string> | undefined
  readonly allocatable: Amounts
  readonly available: Amounts
  /** What it was read from, for plugins that are shown whole objects. */
  readonly source?: KubeObject
}

const amountOf = (name: string, value: unknown): number => {
  const quantity = typeof value === "string" || typeof value === "number" ? quantityOf(value) : milliQuantity(0)
  if (!(quantity instanceof Quantity)) return 0
  return Number(name === "cpu" ? quantity.milliValue() : quantity.value())
}

/** A list of amounts as it stands in JSON; what is no amount counts as none. */
export const amountsOf = (list: unknown): Amounts => {
  const fields = fieldsOf(list)
  return new Map(Object.keys(fields).map((name) => [name, amountOf(name, fields[name])]))
}

const conditionOf = (status: Fields, type: string): Fields | undefined =>
  itemsOf(status["conditions"]).find((condition) => condition["type"] === type)

/** How a type is named among those that a cluster serves: "apps/v1/Deployment". */
export const typeName = (apiVersion: string, kind: string): string => `${apiVersion}/${kind}`

const typesOf = (status: Fields): ReadonlySet<string> | undefined =>
  status["apiResourceTypes"] === undefined
    ? undefined
    : new Set(
        itemsOf(status["apiResourceTypes"]).map((type) => {
          const group = textOf(type["group"])
          return typeName(`${group === "" ? "" : `${group}/`}${textOf(type["version"])}`, textOf(type["kind"]))
        })
      )

const noLabels: Labels = {}

/** Reads a FederatedCluster. */
export const memberClusterOf = (object: KubeObject): MemberCluster => {
  const spec = fieldsOf(object.spec)
  const status = fieldsOf(object.status)
  const resources = fieldsOf(status["resources"])
  const joined = conditionOf(status, "Joined")
  const { creationTimestamp = "", deletionTimestamp, labels, name, uid } = object.metadata
  const isJoined = joined?.["status"] === "True"
  return {
    name: name ?? "",
    uid: uid ?? "",
    labels: labels ?? noLabels,
    taints: taintsOf(spec["taints"]),
    joined: isJoined,
    joinedMs: isJoined
      ? (parseRfc3339(textOf(joined["lastTransitionTime"])) ?? parseRfc3339(creationTimestamp) ?? 0)
      : 0,
    ready: conditionOf(status, "Ready")?.["status"] === "True",
    terminating: deletionTimestamp !== undefined,
    types: typesOf(status),
    allocatable: amountsOf(resources["allocatable"]),
    available: amountsOf(resources["available"]),
    source: object
  }
}
