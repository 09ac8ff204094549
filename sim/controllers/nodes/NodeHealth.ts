// When each node was last heard of, by its status or its lease, and which of them have been silent for too long.
// Owns these times, kept by events so that a look at all nodes costs a few nanoseconds each; refuses to act on silence.
import { type Clockwork, type KubeObject, parseRfc3339 } from "#kube"
import { fieldsOf, textOf } from "#apiserver"
import { heartbeatOf, readinessOf, zoneKeyOf } from "./NodeFacts.ts"

export interface HealthTimes {
  /** Silence after which a node is given up. */
  readonly graceMs: number
  /** The same for one that never reported. */
  readonly startupGraceMs: number
}

const EXCLUDED = "node.kubernetes.io/exclude-disruption"

export class NodeHealth {
  readonly name: string
  node: KubeObject
  zone: string
  /** Whether it counts for its zone's state. */
  counts: boolean
  /** When it was last known to live; undefined before the first look. */
  probeMs: number | undefined
  /** As its Ready condition says: "True", "False", "Unknown" or undefined. */
  ready: string | undefined
  /** The heartbeat that was seen at the last look; undefined when the condition was missing. */
  heartbeat: string | undefined
  /** The renewal of its lease that was seen at the last look. */
  renewTime = ""
  leaseVersion = ""
  /** The node or its lease changed since the last look. */
  changed = true
  renewed = false

  constructor(node: KubeObject) {
    this.name = node.metadata.name ?? ""
    this.node = node
    this.zone = zoneKeyOf(node)
    this.counts = node.metadata.labels?.[EXCLUDED] === undefined
    this.ready = readinessOf(node)
  }
}

/** Whether a time is after another one; written alike, as one kubelet writes them, they compare as texts. */
const isLater = (text: string, before: string): boolean => {
  if (text === before || text === "") return false
  if (text.length === before.length && text.endsWith("Z") && before.endsWith("Z")) return text > before
  return (parseRfc3339(text) ?? -Infinity) > (parseRfc3339(before) ?? -Infinity)
}

export class NodeHealths {
  readonly all = new Map<string, NodeHealth>()
  readonly #clockwork: Clockwork
  readonly #times: HealthTimes
  /** Nodes that were never looked at, and those that went, since the last look. */
  #added: Array<NodeHealth> = []
  #gone: Array<KubeObject> = []

  constructor(clockwork: Clockwork, times: HealthTimes) {
    this.#clockwork = clockwork
    this.#times = times
  }

  nodeSeen(node: KubeObject): void {
    const known = this.all.get(node.metadata.name ?? "")
    if (known === undefined) {
      const health = new NodeHealth(node)
      this.all.set(health.name, health)
      this.#added.push(health)
      return
    }
    known.node = node
    known.zone = zoneKeyOf(node)
    known.counts = node.metadata.labels?.[EXCLUDED] === undefined
    known.changed = true
  }

  nodeGone(node: KubeObject): void {
    const { name = "" } = node.metadata
    const known = this.all.get(name)
    if (known === undefined) return
    this.all.delete(name)
    if (known.probeMs !== undefined) this.#gone.push(node)
    this.#added = this.#added.filter((one) => one !== known)
  }

  leaseSeen(lease: KubeObject): void {
    const health = this.all.get(lease.metadata.name ?? "")
    if (health !== undefined) this.#renew(health, lease)
  }

  #renew(health: NodeHealth, lease: KubeObject): void {
    const renewTime = textOf(fieldsOf(lease.spec)["renewTime"])
    health.leaseVersion = lease.metadata.resourceVersion ?? ""
    if (!isLater(renewTime, health.renewTime)) return
    health.renewTime = renewTime
    health.renewed = true
  }

  /** Nodes that are new, and those that are gone, each told once. */
  takeChanges(leaseOf: (name: string) => KubeObject | undefined): {
    readonly added: ReadonlyArray<NodeHealth>
    readonly gone: ReadonlyArray<KubeObject>
  } {
    const [added, gone] = [this.#added, this.#gone]
    this.#added = []
    this.#gone = []
    // A lease may be known before its node is.
    for (const health of added) {
      const lease = leaseOf(health.name)
      if (lease !== undefined) this.#renew(health, lease)
    }
    return { added, gone }
  }

  /** Looks at a node: when was it last heard of, as far as what has been seen since the last look tells? */
  look(health: NodeHealth): void {
    const now = this.#clockwork.now()
    if (health.changed) {
      health.changed = false
      const { node } = health
      const ready = readinessOf(node)
      const heartbeat = ready === undefined ? undefined : heartbeatOf(node)
      if (health.probeMs === undefined)
        health.probeMs = ready === undefined ? (parseRfc3339(node.metadata.creationTimestamp ?? "") ?? now) : now
      else if (heartbeat !== health.heartbeat) health.probeMs = now
      health.heartbeat = heartbeat
      health.ready = ready
    }
    if (health.renewed) {
      health.renewed = false
      health.probeMs = now
    }
  }

  isSilent({ probeMs, ready }: NodeHealth): boolean {
    const graceMs = ready === undefined ? this.#times.startupGraceMs : this.#times.graceMs
    return probeMs !== undefined && this.#clockwork.now() > probeMs + graceMs
  }

  /** All nodes were silent together: what they said before counts as if it were said now. */
  forgive(): void {
    for (const health of this.all.values()) health.probeMs = this.#clockwork.now()
  }
}
