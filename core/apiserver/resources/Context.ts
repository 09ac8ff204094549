// What the built-in kinds need from the server that serves them.
// Owns the settings and their bounds; refuses to read them from anywhere.

export interface ResourcesContext {
  /** Blocks that cluster IPs are taken from: one, or one of each family; the first is the default family. */
  readonly serviceCidrs: ReadonlyArray<string>
  /** Ports that services may open on every node, both ends included. */
  readonly nodePorts: { readonly first: number; readonly last: number }
  /** Seconds that an event is kept. */
  readonly eventTtlSeconds: number
}

/** What kube-apiserver does when it is told nothing. */
export const defaultResourcesContext: ResourcesContext = {
  serviceCidrs: ["10.0.0.0/24"],
  nodePorts: { first: 30_000, last: 32_767 },
  eventTtlSeconds: 3600
}
