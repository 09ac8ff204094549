// Gives each node its part of the cluster's addresses for pods (the node IPAM controller with its range allocator).
// Owns which part is whose, as the nodes say at the start; refuses ranges that overlap with nothing it was told of.
import { Effect } from "effect"
import { type ApiFailure, type Controller, Failures, type KubeObject } from "#kube"
import { fieldsOf, textsOf } from "#apiserver"
import { clientOf, keyedController } from "../ManagedController.ts"
import type { ControllerMaker, Manager } from "../Manager.ts"
import { CidrSet } from "./CidrSet.ts"
import { nodeReference } from "./NodeFacts.ts"
import { nodes } from "./NodeWrites.ts"

export interface NodeIpamOptions {
  /** One range, or one of each family: "10.244.0.0/16". */
  readonly clusterCidrs: ReadonlyArray<string>
  /** Bits of a node's part, by range; default 24 for IPv4, 64 for IPv6. */
  readonly maskSizes?: ReadonlyArray<number>
  /** Ranges of services, kept from nodes where they overlap. */
  readonly serviceCidrs?: ReadonlyArray<string>
}

const NAME = "node-ipam-controller"
const COMPONENT = "cidrAllocator"
const TRIES = 3

const podCidrs = (node: KubeObject): ReadonlyArray<string> => textsOf(fieldsOf(node.spec)["podCIDRs"])

/** Makes the node IPAM controller; throws a TypeError when a range cannot be divided so. */
export const nodeIpam =
  ({ clusterCidrs, maskSizes = [], serviceCidrs = [] }: NodeIpamOptions): ControllerMaker =>
  (manager: Manager): Controller => {
    const sets = clusterCidrs.map((cidr, at) => new CidrSet(cidr, maskSizes[at] ?? (cidr.includes(":") ? 64 : 24)))
    for (const set of sets) for (const cidr of serviceCidrs) set.occupy(cidr)
    const events = manager.events.from(COMPONENT)
    const informer = manager.informers.informer(nodes)
    const each = (cidrs: ReadonlyArray<string>, act: (set: CidrSet, cidr: string) => unknown): void => {
      for (const [at, set] of sets.entries()) {
        const cidr = cidrs[at]
        if (cidr !== undefined) act(set, cidr)
      }
    }
    // What nodes have already is theirs before anything is given out.
    informer.addHandler({
      added: (node) => each(podCidrs(node), (set, cidr) => set.occupy(cidr)),
      deleted: (node) => each(podCidrs(node), (set, cidr) => set.release(cidr))
    })
    const tell = (node: KubeObject, status: string): void => {
      const message = `Node ${node.metadata.name ?? ""} status is now: ${status}`
      events.event(nodeReference(node), "Normal", status, message)
    }
    const allocate = Effect.fnUntraced(function* (node: KubeObject): Effect.fn.Return<void, ApiFailure> {
      const cidrs = sets.map((set) => set.allocate())
      const given = cidrs.filter((cidr) => cidr !== undefined)
      if (given.length < sets.length) {
        each(given, (set, cidr) => set.release(cidr))
        tell(node, "CIDRNotAvailable")
        return yield* Effect.fail(
          Failures.internal("CIDR allocation failed; there are no remaining CIDRs left to allocate")
        )
      }
      const { name = "" } = node.metadata
      const body = { spec: { podCIDR: given[0], podCIDRs: given } }
      yield* clientOf(manager)
        .patch({ resource: nodes, namespace: "", name }, { type: "strategic", body })
        .pipe(
          Effect.retry({ times: TRIES - 1 }),
          Effect.asVoid,
          Effect.tapError((failure) =>
            Effect.sync(() => {
              tell(node, "CIDRAssignmentFailed")
              // A write that timed out may have happened: the part stays taken then.
              if (failure.code !== 504) each(given, (set, cidr) => set.release(cidr))
            })
          )
        )
    })
    return keyedController(manager, NAME, {
      watches: [{ informer, keys: ({ metadata }) => metadata.name, changed: (_, node) => podCidrs(node).length === 0 }],
      reconcile: (name) => {
        const node = informer.store.get(name)
        if (node === undefined || node.metadata.deletionTimestamp !== undefined) return Effect.void
        if (podCidrs(node).length === 0) return allocate(node)
        each(podCidrs(node), (set, cidr) => set.occupy(cidr))
        return Effect.void
      }
    })
  }
