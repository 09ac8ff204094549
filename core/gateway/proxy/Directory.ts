// Which cluster a host belongs to, right now: the run-time side of the snapshots.
// Owns one runtime for each cluster, made, changed and ended with the snapshots, and the choice of certificates by server name;
// refuses requests.
import type { Cancel } from "#kube"
import type { TlsIdentity } from "#net"
import type { GatewaySnapshot, Snapshots } from "../config/Snapshot.ts"
import { ClusterRuntime, type RuntimeContext } from "./ClusterRuntime.ts"
import { hostOf } from "./HostName.ts"

export class Directory {
  readonly runtimes = new Map<string, ClusterRuntime>()
  private readonly context: RuntimeContext
  private readonly snapshots: Snapshots
  private readonly forget: Cancel

  constructor(context: RuntimeContext, snapshots: Snapshots) {
    this.context = context
    this.snapshots = snapshots
    this.apply(snapshots.current())
    this.forget = snapshots.onSwap((next) => this.apply(next))
  }

  /** The runtime of a host in lower case; undefined for none of ours. */
  find(host: string): ClusterRuntime | undefined {
    const cluster = this.snapshots.current().clusterOf(host)
    return cluster === undefined ? undefined : this.runtimes.get(cluster.name)
  }

  /** The same for a server name as a client sent it. */
  findServerName(serverName: string): ClusterRuntime | undefined {
    const host = hostOf(serverName)
    return host === undefined ? undefined : this.find(host)
  }

  /** The gateway's own identity, of no cluster. */
  get own(): TlsIdentity | undefined {
    return this.context.own
  }

  /** Whether there was no configuration yet. */
  get empty(): boolean {
    return this.snapshots.current().revision === 0
  }

  /** What a client is shown that asks for a name: its cluster's identity, else the gateway's own. */
  readonly select = (serverName: string | undefined): TlsIdentity | undefined => {
    const runtime = serverName === undefined ? undefined : this.findServerName(serverName)
    return runtime?.tlsIdentity ?? this.context.own
  }

  /** Whether there is a configuration and every endpoint was checked once. */
  get ready(): boolean {
    return this.snapshots.current().revision > 0 && [...this.runtimes.values()].every(({ checked }) => checked)
  }

  close(): void {
    this.forget()
    for (const runtime of this.runtimes.values()) runtime.destroy()
    this.runtimes.clear()
  }

  private apply(next: GatewaySnapshot): void {
    for (const [name, runtime] of this.runtimes) {
      const cluster = next.clusters.get(name)
      // A cluster that was deleted and made anew is another one: nothing of the old one's users may be remembered.
      if (cluster !== undefined && cluster.uid === runtime.cluster.uid) continue
      this.runtimes.delete(name)
      runtime.close()
    }
    for (const [name, cluster] of next.clusters) {
      const known = this.runtimes.get(name)
      if (known === undefined) this.runtimes.set(name, new ClusterRuntime(this.context, cluster))
      else known.update(cluster)
    }
  }
}
