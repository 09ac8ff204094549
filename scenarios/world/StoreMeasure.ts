// What a cluster's store went through: how many revisions, and how large objects of a kind are at the end.
// Owns these two counts, simulated and real alike; refuses to ask a server: it reads what is followed anyway. Bound: 500 objects a kind.
import type { KubeObject } from "#kube"
import type { ClusterView, FollowedView } from "./ClusterView.ts"

const KINDS = [
  ["", "nodes"],
  ["", "pods"],
  ["apps", "deployments"],
  ["apps", "replicasets"]
] as const
const OBJECTS_MAX = 500

const bytesOf = (objects: ReadonlyArray<KubeObject>): number => {
  const some = objects.slice(0, OBJECTS_MAX)
  return some.reduce((sum, object) => sum + Buffer.byteLength(JSON.stringify(object)), 0) / some.length
}

export class StoreMeasure {
  private first = 0
  private newest = 0
  private views: ReadonlyArray<readonly [resource: string, view: FollowedView]> = []

  committed(revision: number): void {
    if (this.first === 0) this.first = revision
    this.newest = Math.max(this.newest, revision)
  }

  /** Looks at this server from now on; the one before is gone. */
  follow(cluster: ClusterView): void {
    this.views = KINDS.map(([group, resource]) => [resource, cluster.view(group, resource)])
  }

  recorded(): { readonly storeWrites: number; readonly objectBytes: Readonly<Record<string, number>> } {
    const sizes = this.views.flatMap(([resource, view]) => {
      const objects = view.list("")
      return objects.length === 0 ? [] : [[resource, Math.round(bytesOf(objects))] as const]
    })
    return { storeWrites: this.newest - this.first, objectBytes: Object.fromEntries(sizes) }
  }
}
