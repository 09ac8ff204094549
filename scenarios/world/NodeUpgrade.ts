// Upgrades a cluster's nodes as operators do: cordon, evict the pods, delete the Node, wait for the machine to come back, the next.
// Owns that sequence for so many nodes at a time; refuses pods that a disruption budget protects, which are asked again later.
// Pods of DaemonSets stay where they are, as with `kubectl drain --ignore-daemonsets`.
import { ApiFailure, type Client, controllerOf, gvr, type KubeObject } from "#kube"
import type { SimProcess } from "#sim"

const nodes = gvr("", "v1", "nodes")
const pods = gvr("", "v1", "pods")
const EVICT_AGAIN_MS = 5000
const LOOK_AGAIN_MS = 2000
/** A node whose pods will not go is deleted all the same after this long, as with `drain --force` and a timeout. */
const DRAIN_MAX_MS = 15 * 60_000

export interface NodeUpgradeOptions {
  readonly process: SimProcess
  readonly client: Client
  readonly names: ReadonlyArray<string>
  readonly parallel: number
}

export class NodeUpgrade {
  readonly stats = { upgraded: 0, evicted: 0, refused: 0, forced: 0 }
  private readonly options: NodeUpgradeOptions
  private next = 0

  constructor(options: NodeUpgradeOptions) {
    this.options = options
  }

  start(): void {
    for (let lane = 0; lane < this.options.parallel; lane++) this.proceed()
  }

  private proceed(): void {
    const name = this.options.names[this.next++]
    if (name === undefined) return
    this.cordon(name)
  }

  private after(ms: number, then: () => void): void {
    this.options.process.clockwork.after(ms, then)
  }

  private cordon(name: string): void {
    const target = { resource: nodes, namespace: "", name }
    this.options.client.patch(target, { type: "merge", body: { spec: { unschedulable: true } } }, {}, (answer) => {
      if (!(answer instanceof ApiFailure)) return this.drain(name, this.options.process.clockwork.monotonic())
      if (answer.code === 404) return this.proceed()
      this.after(LOOK_AGAIN_MS, () => this.cordon(name))
    })
  }

  private drain(name: string, sinceMs: number): void {
    const { client, process } = this.options
    const selection = { fieldSelector: `spec.nodeName=${name}`, resourceVersion: "0" }
    client.list({ resource: pods, namespace: "" }, selection, (answer) => {
      if (answer instanceof ApiFailure) return this.after(LOOK_AGAIN_MS, () => this.drain(name, sinceMs))
      const left = answer.items.filter((pod) => controllerOf(pod)?.kind !== "DaemonSet")
      const overdue = process.clockwork.monotonic() - sinceMs > DRAIN_MAX_MS
      if (left.length === 0 || overdue) {
        if (left.length > 0) this.stats.forced++
        return this.remove(name)
      }
      this.evict(left, (refused) =>
        this.after(refused ? EVICT_AGAIN_MS : LOOK_AGAIN_MS, () => this.drain(name, sinceMs))
      )
    })
  }

  private evict(left: ReadonlyArray<KubeObject>, done: (refused: boolean) => void): void {
    const going = left.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    if (going.length === 0) return done(false)
    let open = going.length
    let refused = false
    for (const { metadata } of going) {
      const { name = "", namespace = "" } = metadata
      const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } }
      const target = { resource: pods, namespace, name, subresource: "eviction" }
      this.options.client.create(target, eviction, {}, (answer) => {
        if (!(answer instanceof ApiFailure)) this.stats.evicted++
        else if (answer.code === 429) {
          this.stats.refused++
          refused = true
        }
        if (--open === 0) done(refused)
      })
    }
  }

  private remove(name: string): void {
    const target = { resource: nodes, namespace: "", name }
    this.options.client.get(target, { resourceVersion: "0" }, (before) => {
      const uid = before instanceof ApiFailure ? undefined : before.metadata.uid
      this.options.client.delete(target, {}, (answer) => {
        if (answer instanceof ApiFailure && answer.code !== 404)
          return this.after(LOOK_AGAIN_MS, () => this.remove(name))
        this.await(name, uid)
      })
    })
  }

  /** The machine is back when a Node of its name is there that is not the old one. */
  private await(name: string, old: string | undefined): void {
    this.options.client.get({ resource: nodes, namespace: "", name }, { resourceVersion: "0" }, (answer) => {
      if (answer instanceof ApiFailure || answer.metadata.uid === old)
        return this.after(LOOK_AGAIN_MS, () => this.await(name, old))
      this.stats.upgraded++
      this.proceed()
    })
  }
}
