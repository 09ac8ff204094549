// The small scheduling interface: who is told of nodes and placed pods, and asked where a pod goes.
// Owns the port only; OnePassChooser.ts fills it here, core/scheduling with a whole scheduler. PodBindings.ts drives either.
import type { KubeObject } from "#kube"

/** A node's name, or why there is none: how many nodes each reason rules out, in the scheduler's words. */
export type Choice = { readonly node: string } | { readonly reasons: ReadonlyMap<string, number> }

export interface NodeChooser {
  /** A node is there or has changed. */
  readonly nodeSeen: (node: KubeObject) => void
  readonly nodeGone: (name: string) => void
  /** A pod takes room on a node: it was bound, or is about to be. Telling it again changes nothing. */
  readonly podPlaced: (pod: KubeObject, node: string) => void
  /** The pod takes no room any longer: deleted, ended, or not bound after all. */
  readonly podGone: (pod: KubeObject) => void
  readonly choose: (pod: KubeObject) => Choice
  /** Nodes that are known. */
  readonly nodeCount: () => number
}
