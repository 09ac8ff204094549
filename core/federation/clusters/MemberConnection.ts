// How a member is reached: a client, and what only a connection can tell of its health and its types.
// Owns the port; MemberConnectionAdapter.ts reaches real API servers, simulated worlds bring their own.
import type { ApiFailure, Client, Done, JsonObject, KubeObject } from "#kube"

/** A type that a member serves, as FederatedCluster's status has it. */
export interface ServedType {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly pluralName: string
  readonly scope: "Namespaced" | "Cluster"
}

/** An open way to a member. */
export interface MemberConnection {
  readonly client: Client
  /** Answers when the member says that it is healthy; a failure of code 503 or 504 means that nobody answered at all. */
  readonly probe: (done: Done<true>) => void
  /** All types in all served versions. */
  readonly types: (done: Done<ReadonlyArray<ServedType>>) => void
  /** FederatedCluster's status.resources, of members that can tell it in one answer; of others nodes and pods are added up. */
  readonly room?: (done: Done<JsonObject>) => void
  readonly close: () => void
}

/** Opens the way to a member with the credentials of its Secret; the failure names what is missing and never what is secret. */
export type ConnectMember = (cluster: KubeObject, secret: KubeObject) => MemberConnection | ApiFailure
