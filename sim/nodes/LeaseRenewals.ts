// The leases of kube-node-lease: the most frequent write of any cluster, so the cheapest code of this room.
// Owns the last lease of each node and the calls under way, which are taken from a pool; refuses timing, which HollowNodes.ts does.
// As a kubelet does, an update is based on the last answer; only when that fails the lease is read, or made.
import { ApiFailure, type Client, type Done, gvr, type KubeObject, type Target } from "#kube"
import type { Machine } from "./NodeGroup.ts"

const LEASE_SECONDS = 40
const NAMESPACE = "kube-node-lease"
const resource = gvr("coordination.k8s.io", "v1", "leases")
const NO_OPTIONS = {}

interface LeaseCall {
  node: number
  readonly done: Done<KubeObject>
}

export class LeaseRenewals {
  readonly stats = { renewed: 0, created: 0, failed: 0 }
  private readonly client: Client
  /** Beside one another, for a machine itself would have to be fetched from far away at each renewal. */
  private readonly names: ReadonlyArray<string>
  private readonly targets: ReadonlyArray<Target>
  private readonly leases: Array<KubeObject | undefined>
  private readonly pool: Array<LeaseCall> = []

  private readonly uidOf: (node: number) => string | undefined

  /** `uidOf` names the Node that owns a lease, once it is known. */
  constructor(client: Client, machines: ReadonlyArray<Machine>, uidOf: (node: number) => string | undefined) {
    this.uidOf = uidOf
    this.client = client
    this.names = machines.map(({ facts: { name } }) => name)
    this.targets = this.names.map((name) => ({ resource, namespace: NAMESPACE, name, memo: { place: undefined } }))
    this.leases = new Array<KubeObject | undefined>(machines.length)
  }

  /** Renews a node's lease, or makes it. */
  renew(node: number, renewTime: string): void {
    const lease = this.leases[node]
    const spec = { holderIdentity: this.names[node], leaseDurationSeconds: LEASE_SECONDS, renewTime }
    if (lease === undefined) return this.create(node, spec)
    const call = this.take(node)
    this.client.update(
      this.targets[node],
      { apiVersion: lease.apiVersion, kind: lease.kind, metadata: lease.metadata, spec },
      NO_OPTIONS,
      call.done
    )
  }

  /** The lease of a node that is no more. */
  forget(node: number): void {
    this.leases[node] = undefined
  }

  private create(node: number, spec: KubeObject["spec"] & object): void {
    const uid = this.uidOf(node)
    const name = this.names[node]
    const ownerReferences = uid === undefined ? [] : [{ apiVersion: "v1", kind: "Node", name, uid }]
    const metadata = { name, namespace: NAMESPACE, ...(uid === undefined ? {} : { ownerReferences }) }
    this.client.create(
      { resource, namespace: NAMESPACE },
      { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec },
      NO_OPTIONS,
      (answer) => {
        if (!(answer instanceof ApiFailure)) {
          this.stats.created++
          this.leases[node] = answer
        } else if (answer.code === 409) this.read(node)
        else this.stats.failed++
      }
    )
  }

  /** Somebody changed the lease; or it is gone, for an update of what is no more fails by the uid that it expects. */
  private read(node: number): void {
    this.client.get(this.targets[node], NO_OPTIONS, (answer) => {
      if (!(answer instanceof ApiFailure)) this.leases[node] = answer
      else if (answer.code === 404) this.leases[node] = undefined
    })
  }

  private take(node: number): LeaseCall {
    const call = this.pool.pop() ?? this.makeCall()
    call.node = node
    return call
  }

  private makeCall(): LeaseCall {
    const call: LeaseCall = {
      node: 0,
      done: (answer) => {
        const { node } = call
        this.pool.push(call)
        if (!(answer instanceof ApiFailure)) {
          this.stats.renewed++
          this.leases[node] = answer
          return
        }
        this.stats.failed++
        if (answer.code === 404) this.leases[node] = undefined
        else if (answer.code === 409) this.read(node)
      }
    }
    return call
  }
}
