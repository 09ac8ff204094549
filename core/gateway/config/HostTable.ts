// Finds the cluster of a host: by its name, else by a wildcard of one label, else the default one.
// Owns the look-up; clashes have been settled before.
import type { UpstreamCluster } from "./UpstreamCluster.ts"

/** The look-up over all clusters. */
export const hostTable = (clusters: Iterable<UpstreamCluster>): ((host: string) => UpstreamCluster | undefined) => {
  const byHost = new Map<string, UpstreamCluster>()
  const byParent = new Map<string, UpstreamCluster>()
  let byDefault: UpstreamCluster | undefined
  for (const cluster of clusters) {
    if (cluster.isDefault) byDefault = cluster
    for (const host of cluster.hosts) {
      if (host.startsWith("*.")) byParent.set(host.slice(1), cluster)
      else byHost.set(host, cluster)
    }
  }
  return (host) => {
    const exact = byHost.get(host)
    if (exact !== undefined) return exact
    const dot = host.indexOf(".")
    return (dot > 0 ? byParent.get(host.slice(dot)) : undefined) ?? byDefault
  }
}
