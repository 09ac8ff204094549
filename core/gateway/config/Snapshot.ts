// All clusters at one moment. A change makes a new snapshot, and one assignment puts it in the place of the last: a request that
// read `current` once never sees two of them mixed.
// Owns the ports between configuration and data path; refuses building (SnapshotBuilder.ts) and every use.
import type { Cancel } from "#kube"
import type { UpstreamCluster } from "./UpstreamCluster.ts"

/** Never changed once it is current. */
export interface GatewaySnapshot {
  /** Counts up from 0, the empty one. */
  readonly revision: number
  /** By name. A cluster that a change left alone is the same object as in the last snapshot. */
  readonly clusters: ReadonlyMap<string, UpstreamCluster>
  /** The cluster of a host in lower case without port and trailing dot: by name, else by wildcard, else the default one. */
  readonly clusterOf: (host: string) => UpstreamCluster | undefined
}

export interface Snapshots {
  /** What holds now: read it once for each request. */
  readonly current: () => GatewaySnapshot
  /** Called in the same turn as the swap, after it; in the order of registration. */
  readonly onSwap: (listener: (next: GatewaySnapshot, last: GatewaySnapshot) => void) => Cancel
}

/** How an endpoint does, as the data path finds it. */
export interface EndpointState {
  readonly healthy: boolean
  /** In one word, like Timeout, NotReady, ConnectionRefused, Ejected; empty while healthy. */
  readonly reason: string
  /** For people; never holds a secret. */
  readonly message: string
}

/** Where the data path tells how endpoints do: it ends up in the cluster's status, at a bounded rate. */
export interface EndpointReports {
  readonly report: (cluster: string, endpoint: string, state: EndpointState) => void
}
