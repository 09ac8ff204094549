// What the controllers of this half of the federation ask of members: what is there, whether it can be trusted, and a client.
// Owns the port only; whoever keeps the connections to members provides it.
import type { Client, GroupVersionResource, KubeObject } from "#kube"

export interface MemberReads {
  /** Whether the member is heard of now and all that it has of a type is known here. */
  readonly isCurrent: (cluster: string, type: GroupVersionResource) => boolean
  /** A managed object as the member was last seen to have it, by "namespace/name". */
  readonly object: (cluster: string, type: GroupVersionResource, key: string) => KubeObject | undefined
  /** For what is not kept here; undefined while the member cannot be reached. */
  readonly client: (cluster: string) => Client | undefined
}
