// A cluster as measures see it: its nodes and pods with every change, revisions as they are committed, and how many objects there are.
// Owns that port and its filling by a simulated server, which knows all of it itself; WatchedCluster.ts fills it for a real one.
import type { ApiServer, ResourceView } from "#apiserver"
import type { Storage } from "#storage"

/** The objects of a resource, and what becomes of them. */
export type FollowedView = Pick<ResourceView, "list" | "onChange">

/** What is followed of a cluster while it lives. */
export interface ClusterView {
  readonly view: (group: string, resource: string) => FollowedView
  /** Revisions up to this one are known to be committed. */
  readonly onRevision: (listener: (revision: number) => void) => void
  /** So many more (or fewer) objects of this resource than were told of before. */
  readonly onObjects: (listener: (resource: string, by: number) => void) => void
}

const REGISTRY = "/registry/"

/** The resource of a key like /registry/pods/default/web-1; nodes are kept as minions, as in every Kubernetes. */
const resourceOf = (key: string): string => {
  if (!key.startsWith(REGISTRY)) return "other"
  const end = key.indexOf("/", REGISTRY.length)
  const found = end < 0 ? "other" : key.slice(REGISTRY.length, end)
  return found === "minions" ? "nodes" : found
}

/** The view of a simulated server that has just started. */
export const serverView = (server: ApiServer, { store }: Storage): ClusterView => ({
  view: (group, resource) => server.view(group, resource),
  onRevision: (listener) => void store.listen({ committed: (revision) => listener(revision) }),
  onObjects: (listener) =>
    void store.listen({
      committed: (_revision, events) => {
        for (const event of events) {
          // Only what costs nothing to know: rows are not read.
          const by = event.row === undefined ? -1 : event.isCreate ? 1 : 0
          if (by !== 0) listener(resourceOf(event.text), by)
        }
      }
    })
})
