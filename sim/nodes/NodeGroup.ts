// Machines by the dozen: what a scenario's `nodeGroups` say, and each node that follows from it.
// Owns names, zones, labels, taints, addresses and capacity; refuses to register them. What the nodes of a group share is one object.
import { Schema } from "effect"
import {
  apiVersionOf,
  type Json,
  type JsonObject,
  type KubeObject,
  milliQuantity,
  parseQuantity,
  Quantity
} from "#kube"
import { hashText } from "../time/RandomStream.ts"
import { type MachineFacts, nodeStatus } from "./NodeStatus.ts"

const Texts = Schema.Record(Schema.String, Schema.String)
const Whole = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** A group of equal machines, spread evenly over its zones. */
export const NodeGroup = Schema.Struct({
  name: Schema.String.check(Schema.isPattern(/^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$/)),
  count: Whole,
  zones: Schema.optionalKey(Schema.Array(Schema.String)),
  region: Schema.optionalKey(Schema.String),
  instanceType: Schema.optionalKey(Schema.String),
  architecture: Schema.optionalKey(Schema.String),
  labels: Schema.optionalKey(Texts),
  annotations: Schema.optionalKey(Texts),
  taints: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        key: Schema.String,
        value: Schema.optionalKey(Schema.String),
        effect: Schema.Literals(["NoSchedule", "PreferNoSchedule", "NoExecute"])
      })
    )
  ),
  /** Quantities by resource name, like cpu: "8". */
  capacity: Schema.optionalKey(Texts),
  /** What the system keeps of it. */
  reserved: Schema.optionalKey(Texts)
})
export type NodeGroup = typeof NodeGroup.Type

/** One machine of the world. */
export interface Machine {
  readonly facts: MachineFacts
  readonly zone: string
  /** The Node that it registers as, without its status. */
  readonly node: KubeObject
}

const capacityDefault = { cpu: "8", memory: "32Gi", pods: "110", "ephemeral-storage": "100Gi" }
const reservedDefault = { cpu: "100m", memory: "512Mi" }
const KUBELET_VERSION = "v1.37.2"

/** Capacity less what is kept, in the kubelet's units: milli-CPUs, else whole units; binary units become kibibytes. */
const allocatableOf = (
  capacity: Readonly<Record<string, string>>,
  reserved: Readonly<Record<string, string>>
): JsonObject =>
  Object.fromEntries(
    Object.entries(capacity).map(([name, amount]) => {
      const kept = reserved[name]
      if (kept === undefined) return [name, amount]
      const milli = milliOf(amount) - milliOf(kept)
      return [name, name === "cpu" ? milliQuantity(milli).toString() : `${Math.floor(milli / 1000 / 1024)}Ki`]
    })
  )

const milliOf = (amount: string): number => {
  const quantity = parseQuantity(amount)
  return quantity instanceof Quantity ? Number(quantity.milliValue()) : 0
}

const hexOf = (name: string, salt: string): string => hashText(name, hashText(salt)).toString(16).padStart(8, "0")

/** The address of the machine with this number: 172.16.0.0/12 and on. */
export const machineIp = (number: number): string =>
  `172.${16 + Math.floor(number / 65_536)}.${Math.floor(number / 256) % 256}.${number % 256}`

/** The address of the pod with this place on the machine with this number: 10.0.0.0/8, 256 to a machine. */
export const podIp = (number: number, place: number): string =>
  `10.${Math.floor(number / 256) % 256}.${number % 256}.${1 + (place % 254)}`

/** The place whose address this is on the machine with this number; undefined when it is none of its. */
export const placeOf = (number: number, address: string): number | undefined => {
  const place = Number(address.slice(address.lastIndexOf(".") + 1)) - 1
  return place >= 0 && podIp(number, place) === address ? place : undefined
}

/** All machines of some groups, numbered in their order. */
export const machinesOf = (groups: ReadonlyArray<NodeGroup>): ReadonlyArray<Machine> => {
  const machines: Array<Machine> = []
  for (const group of groups) {
    const shared = sharedOf(group)
    for (let at = 0; at < group.count; at++) machines.push(machineOf(group, shared, at, machines.length))
  }
  return machines
}

type Shared = ReturnType<typeof sharedOf>

const sharedOf = (group: NodeGroup) => {
  const { architecture = "amd64", capacity = capacityDefault, reserved = reservedDefault } = group
  return {
    zones: group.zones ?? ["zone-a"],
    architecture,
    capacity: capacity as JsonObject,
    allocatable: allocatableOf(capacity, reserved),
    spec: group.taints === undefined ? {} : { taints: group.taints as Json },
    system: {
      kernelVersion: "6.12.0",
      osImage: "Debian GNU/Linux 13 (trixie)",
      containerRuntimeVersion: "containerd://2.2.0",
      kubeletVersion: KUBELET_VERSION,
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture
    }
  }
}

const machineOf = (group: NodeGroup, shared: Shared, at: number, number: number): Machine => {
  const name = `${group.name}-${at}`
  const zone = shared.zones[at % shared.zones.length]
  const id = hexOf(name, "machine")
  const ip = machineIp(number)
  return {
    zone,
    facts: {
      name,
      ip,
      ips: [{ ip }],
      capacity: shared.capacity,
      allocatable: shared.allocatable,
      nodeInfo: { machineID: id, systemUUID: id, bootID: hexOf(name, "boot"), ...shared.system }
    },
    node: {
      apiVersion: apiVersionOf({ group: "", version: "v1" }),
      kind: "Node",
      metadata: {
        name,
        labels: labelsOf(group, shared, name, zone),
        ...(group.annotations && { annotations: group.annotations })
      },
      spec: shared.spec
    }
  }
}

const labelsOf = (group: NodeGroup, { architecture }: Shared, name: string, zone: string): Record<string, string> => ({
  "beta.kubernetes.io/arch": architecture,
  "beta.kubernetes.io/os": "linux",
  "kubernetes.io/arch": architecture,
  "kubernetes.io/hostname": name,
  "kubernetes.io/os": "linux",
  "node.kubernetes.io/instance-type": group.instanceType ?? group.name,
  "topology.kubernetes.io/region": group.region ?? "region-1",
  "topology.kubernetes.io/zone": zone,
  ...group.labels
})

/** The Node as its kubelet registers it, ready, at a time (RFC 3339). */
export const registration = ({ facts, node }: Machine, now: string): KubeObject => ({
  ...node,
  status: nodeStatus(facts, now, now)
})
